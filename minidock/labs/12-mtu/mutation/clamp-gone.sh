nft delete table ip clamp
