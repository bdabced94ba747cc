# fails: owner
# mistake: twin
ip6tables -D INPUT -p ipv6-icmp -j DROP
ip6tables -D OUTPUT -p ipv6-icmp -j DROP
minidock restart web
