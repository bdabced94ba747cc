# fails: red-blue
# mistake: router
for each in "vred $A" "vgreen $B" "vblue $C"; do
    set -- $each
    ip link set "$1" up
    ip route add "$2/32" dev "$1"
    sysctl -qw "net.ipv4.conf.$1.proxy_arp=1"
done
sysctl -qw net.ipv4.ip_forward=1
