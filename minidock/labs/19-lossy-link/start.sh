sysctl -qw net.ipv4.ip_forward=1
for each in "near $NET1" "far $NET2"; do # neighbours that are known: no question and no answer of ARP is late
    set -- $each "$(mac "host-${each% *}")" "$(mac "${each% *}")"
    ip netns add "$1"
    ip -batch - <<END
link add v$1 address $3 type veth peer name eth0 netns $1 address $4
link set v$1 up
address add $2.1/24 dev v$1
neighbor add $2.2 dev v$1 lladdr $4 nud permanent
END
    ip -n "$1" -batch - <<END
link set lo up
link set eth0 up
address add $2.2/24 dev eth0
route add default via $2.1
neighbor add $2.1 dev eth0 lladdr $3 nud permanent
END
done
tc qdisc add dev vfar root netem loss 60%
tc qdisc add dev vnear clsact
tc filter add dev vnear ingress protocol ip flower ip_proto udp dst_port "$PORT" action drop
