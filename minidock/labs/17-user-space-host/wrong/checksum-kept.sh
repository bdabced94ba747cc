# fails: accepted
# mistake: checksum-kept
sed 's/ICMP(type=0,/ICMP(type=0, chksum=echo.chksum,/' "$(dirname "$0")/../solution.sh" | bash -euo pipefail
