# fails: crosses
# mistake: routed
for n in 1 2 3; do
    ip netns exec "h$n" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.br0.proxy_arp=1
    ip -n "h$n" link del vx0 2>/dev/null || true
    ip -n "h$n" route add "10.$S.0.$n/32" dev br0
    ip -n "h$n" route add "10.$S.0.0/24" via "172.$U.$n.1"
    ip -n router route add "10.$S.0.$n/32" via "172.$U.$n.2"
done
