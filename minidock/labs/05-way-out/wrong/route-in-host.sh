# fails: out
# mistake: route-in-host
ip route add "$FAR" via 198.51.100.1
sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s "$NET" ! -o lab0 -j MASQUERADE
