# fails: neighbours
# mistake: everyone-masked
ip -n app route add default via "$GATEWAY"
sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s "$NET" -j MASQUERADE
