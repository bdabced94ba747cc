# fails: not-others
# mistake: answers-everyone
sed -e 's/ and frame\[ARP\].pdst == ADDRESS//' -e 's/psrc=ADDRESS/psrc=asked.pdst/' "$(dirname "$0")/../solution.sh" |
    bash -euo pipefail
