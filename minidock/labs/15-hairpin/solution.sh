for side in east west; do
    ip netns exec "$side" iptables -t nat -A POSTROUTING -s "10.$S.0.0/16" -o br0 -m conntrack --ctstate DNAT -j MASQUERADE
    bridge -n "$side" link set dev vweb hairpin on
done
