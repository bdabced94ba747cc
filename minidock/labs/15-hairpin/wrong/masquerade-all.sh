# fails: outside-0
# mistake: masquerades-all
for side in east west; do
    ip netns exec "$side" iptables -t nat -A POSTROUTING -o br0 -j MASQUERADE
    bridge -n "$side" link set dev vweb hairpin on
done
