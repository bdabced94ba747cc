minidock net create six --ipv6 --subnet "10.$S.1.0/24" --subnet "$PREFIX" \
    -o com.docker.network.bridge.name=br-six -o com.docker.network.bridge.gateway_mode_ipv6=routed
at_once=com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.router_solicitation_delay=0
minidock run -d --init --name web \
    --network "name=six,ip6=$WEB,link-local-ip=$NEAR,mac-address=$(mac web),driver-opt=$at_once" /run/lab/hello -f :: 80 web
ip -n internet route add "$PREFIX" via 2001:db8:100::2

ip netns add printer
ip link add vprinter address "$(mac host-printer)" master br-six type veth peer name eth0 netns printer address "$(mac printer)"
ip link set vprinter up
ip -n printer link set eth0 up
for address in "2001:db8:$P::77" "$WEB"; do
    ip -n printer address add "$address/64" dev eth0 nodad
done

container=$(basename /run/netns/md-*)
ip -n "$container" address del "$WEB/64" dev eth0
ip -n "$container" address add "$WEB/64" dev eth0
for try in $(seq 40); do
    [ -z "$(ip -n "$container" address show dev eth0 dadfailed)" ] || break
    sleep 0.05
done

ip link set up0 mtu 1400
ip6tables -A INPUT -p ipv6-icmp -j DROP
ip6tables -A OUTPUT -p ipv6-icmp -j DROP
ip6tables -I MINIDOCK-USER -o br-six -j ACCEPT
