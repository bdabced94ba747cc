# fails: out
# mistake: not-forwarded
ip -n app route add default via "$GATEWAY"
iptables -t nat -A POSTROUTING -s "$NET" ! -o lab0 -j MASQUERADE
