# fails: sent
# mistake: untagged
sed 's|^        return .* / Dot1Q(.*|        return frame|' "${0%/*}/../solution.sh" | bash -euo pipefail
