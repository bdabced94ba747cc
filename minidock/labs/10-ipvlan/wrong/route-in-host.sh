# fails: answer
# mistake: route-in-host
. "${0%/*}/../solution-2.sh"
ip route add "$SC" dev lan0
ip route add "$SD" dev lan0
