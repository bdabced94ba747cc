# fails: asked
# mistake: tag-kept
sed 's/return Ether(.*type=frame\[Dot1Q\].*/return frame/' "${0%/*}/../solution.sh" | bash -euo pipefail
