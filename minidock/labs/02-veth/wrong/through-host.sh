# fails: echo
# mistake: through-host
for end in "red $A" "blue $B"; do
    set -- $end
    ip link add "to-$1" type veth peer name eth0 netns "$1"
    ip -n "$1" address add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
    ip link set "to-$1" up
    ip route add "$2/32" dev "to-$1"
    sysctl -qw "net.ipv4.conf.to-$1.proxy_arp=1"
done
sysctl -qw net.ipv4.ip_forward=1
