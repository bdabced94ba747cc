# fails: ping
# mistake: no-cable
ip -n guest link set lo up
ip -n guest address add "$ADDRESS/32" dev lo
