cable() { # cable NAMESPACE DEVICE NAMESPACE DEVICE MTU
    ip -n "$1" link add "$2" mtu "$5" address "$(mac "$1-$2")" type veth peer name "$4" netns "$3" mtu "$5" address "$(mac "$3-$4")"
    ip -n "$1" link set "$2" up
    ip -n "$3" link set "$4" up
}
for each in isp edge site; do
    ip netns add "$each"
    ip netns exec "$each" sysctl -qw net.ipv4.ip_forward=1
done
ip link add wan0 address "$(mac wan0)" type veth peer name west netns isp address "$(mac isp-west)"
ip link set wan0 up
ip -n isp link set west up
cable isp east edge west 1400
cable edge east site eth0 1500
ip address add "10.$S.0.2/24" dev wan0
ip route add "10.$S.0.0/16" via "10.$S.0.1"
ip -n isp -batch - <<END
link set west up
address add 10.$S.0.1/24 dev west
address add 10.$S.1.1/24 dev east
route add 10.$S.128.0/17 via 10.$S.1.2
END
ip -n edge -batch - <<END
address add 10.$S.1.2/24 dev west
address add 10.$S.2.1/24 dev east
route add default via 10.$S.1.1
route add 10.$S.128.0/17 via 10.$S.2.2
END
ip -n site -batch - <<END
link set lo up
address add 10.$S.2.2/24 dev eth0
route add local 10.$S.128.0/17 dev lo
route add default via 10.$S.2.1
END
ip netns exec edge nft 'table ip provider { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }; }'
ip netns exec site hello 0.0.0.0 80 site 100000 >/dev/null
ip netns exec site hello 0.0.0.0 81 site >/dev/null
minidock net create --subnet "10.88.$S.0/24" lab >/dev/null
minidock run -d --name plain --net lab sleep 86400 >/dev/null
nft 'table ip hardening { chain forward { type filter hook forward priority -10; icmp type != { echo-request, echo-reply } drop; }; }'
