# fails: bridge-nf-1
# mistake: flipped
for side in east west; do
    ip netns exec "$side" sysctl -qw net.bridge.bridge-nf-call-iptables=0
    ip netns exec "$side" iptables -t nat -A POSTROUTING -s "10.$S.0.0/16" -o br0 -m conntrack --ctstate DNAT -j MASQUERADE
done
