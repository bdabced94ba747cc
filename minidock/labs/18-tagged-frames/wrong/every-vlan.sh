# fails: apart
# mistake: every-vlan
sed 's/ and frame\[Dot1Q\].vlan == vid//' "${0%/*}/../solution.sh" | bash -euo pipefail
