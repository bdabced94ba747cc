ip link add lab0 address "$(mac lab0)" type bridge
ip address add "$GATEWAY/24" dev lab0
ip link set lab0 up
for each in "app $A" "peer $B"; do
    set -- $each
    ip netns add "$1"
    ip link add "v$1" address "$(mac "host-$1")" master lab0 type veth peer name eth0 netns "$1" address "$(mac "$1")"
    ip link set "v$1" up
    ip -n "$1" link set lo up
    ip -n "$1" address add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
done
modprobe -q br_netfilter || true
sysctl -qw net.ipv4.ip_forward=0 net.bridge.bridge-nf-call-iptables=1
iptables -t nat -S >/dev/null
