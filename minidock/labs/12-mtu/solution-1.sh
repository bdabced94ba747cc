nft delete table ip hardening
