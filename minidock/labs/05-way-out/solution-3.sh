iptables -t nat -A POSTROUTING -s "$NET" ! -o lab0 -j MASQUERADE
