# fails: out
# mistake: route-outside
ip -n app route add default via "$GATEWAY"
sysctl -qw net.ipv4.ip_forward=1
ip -n internet route add "$NET" via 198.51.100.2
