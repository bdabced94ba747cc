# fails: echo
# mistake: same-mac
sed "s/^ip link set tap0 up/& address $MAC/" "$(dirname "$0")/../solution.sh" | bash -euo pipefail
