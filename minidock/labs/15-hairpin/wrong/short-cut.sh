# fails: itself-1
# mistake: short-cut
for side in "east $EAST 1" "west $WEST 2"; do
    set -- $side
    asked="-d $2 -p tcp --dport $PORT"
    ip netns exec "$1-web" iptables -t nat -A OUTPUT $asked -j DNAT --to-destination 127.0.0.1:80
    ip netns exec "$1-api" iptables -t nat -A OUTPUT $asked -j DNAT --to-destination "10.$S.$3.2:80"
done
