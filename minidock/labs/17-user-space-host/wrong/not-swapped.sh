# fails: echo
# mistake: not-swapped
sed 's/IP(src=ADDRESS, dst=frame\[IP\].src,/IP(src=frame[IP].src, dst=ADDRESS,/' "$(dirname "$0")/../solution.sh" |
    bash -euo pipefail
