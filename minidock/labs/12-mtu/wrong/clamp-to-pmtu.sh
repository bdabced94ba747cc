# fails: page-plain
# mistake: clamp-to-pmtu
. "${0%/*}/../solution-1.sh"
. "${0%/*}/../solution-2.sh"
nft 'table ip clamp { chain forward { type filter hook forward priority -150; tcp flags syn tcp option maxseg size set rt mtu; }; }'
