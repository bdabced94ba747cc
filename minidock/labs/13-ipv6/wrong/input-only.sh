# fails: closed
# mistake: input-only
ip -n printer address del "$WEB/64" dev eth0
minidock restart web
ip6tables -D INPUT -p ipv6-icmp -j DROP
ip6tables -D OUTPUT -p ipv6-icmp -j DROP
ip6tables -A INPUT -p tcp ! --dport 80 -j DROP
