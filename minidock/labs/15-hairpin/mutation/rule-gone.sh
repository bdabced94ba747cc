for side in east west; do
    ip netns exec "$side" iptables -t nat -D POSTROUTING -s "10.$S.0.0/16" -o br0 -m conntrack --ctstate DNAT -j MASQUERADE
done
