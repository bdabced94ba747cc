# fails: echo
# mistake: arp-only
sed '/if ICMP in frame/,/echo.payload/d' "$(dirname "$0")/../solution.sh" | bash -euo pipefail
