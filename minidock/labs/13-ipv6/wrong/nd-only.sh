# fails: too-big
# mistake: nd-only
ip -n printer address del "$WEB/64" dev eth0
minidock restart web
for type in 133 134 135 136; do
    ip6tables -I INPUT -p ipv6-icmp --icmpv6-type $type -j ACCEPT
    ip6tables -I OUTPUT -p ipv6-icmp --icmpv6-type $type -j ACCEPT
done
