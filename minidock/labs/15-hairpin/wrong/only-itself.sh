# fails: peer-0
# mistake: answers-directly
for side in "east 1" "west 2"; do
    set -- $side
    web="10.$S.$2.2/32"
    ip netns exec "$1" iptables -t nat -A POSTROUTING -s "$web" -d "$web" -p tcp --dport 80 -j MASQUERADE
    bridge -n "$1" link set dev vweb hairpin on
done
