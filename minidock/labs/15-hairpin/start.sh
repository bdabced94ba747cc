if [ ! -e /proc/sys/net/bridge ] && ! modprobe -q br_netfilter; then
    echo "this lab needs br_netfilter; load it: sudo modprobe br_netfilter"
    exit 1
fi
nf=$NF
for side in east west; do
    [ "$side" = east ] && n=1 || n=2
    host=198.18.$n.2
    printf 'netns add %s\n' "$side" "$side-web" "$side-api" | ip -batch -
    ip link add "$side" address "$(mac "$side")" type veth peer name eth0 netns "$side" address "$(mac "$side-eth0")"
    ip link set "$side" up
    ip address add "198.18.$n.1/24" dev "$side"
    ip -n "$side" -batch - <<END
link set lo up
link set eth0 up
address add $host/24 dev eth0
route add default via 198.18.$n.1
link add br0 address $(mac "$side-br0") type bridge
link set br0 up
address add 10.$S.$n.1/24 dev br0
END
    for each in "web 2" "api 3"; do
        set -- $each
        ip -n "$side" link add "v$1" address "$(mac "$side-v$1")" master br0 type veth \
            peer name eth0 netns "$side-$1" address "$(mac "$side-$1")"
        ip -n "$side" link set "v$1" up
        ip -n "$side-$1" -batch - <<END
link set lo up
link set eth0 up
address add 10.$S.$n.$2/24 dev eth0
route add default via 10.$S.$n.1
END
    done
    ip netns exec "$side" sh -c "
        sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=$nf
        iptables-restore" <<END
*nat
-A PREROUTING -d $host/32 -p tcp --dport $PORT -j DNAT --to-destination 10.$S.$n.2:80
-A OUTPUT -d $host/32 -p tcp --dport $PORT -j DNAT --to-destination 10.$S.$n.2:80
-A POSTROUTING -s 10.$S.$n.0/24 ! -o br0 -j MASQUERADE
COMMIT
END
    ip netns exec "$side-web" hello 0.0.0.0 80 "$side-web"
    nf=$((1 - nf))
done
