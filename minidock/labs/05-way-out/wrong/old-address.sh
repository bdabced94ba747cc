# fails: out
# mistake: old-address
ip -n app route add default via "$GATEWAY"
sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s "$NET" ! -o lab0 -j SNAT --to-source "$OLD"
