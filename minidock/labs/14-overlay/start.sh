for place in router h1 h2 h3 c1 c2 c3 other; do
    echo "netns add $place"
done | ip -batch -
ip netns exec router sysctl -qw net.ipv4.ip_forward=1

for n in 1 2 3; do        # the underlay: a cable from the router to each host, a bridge with the container in each
    ip -n "h$n" -batch - <<END
link add eth0 address $(mac "h$n") type veth peer name r$n netns router address $(mac "r$n")
link set eth0 up
address add 172.$U.$n.2/24 dev eth0
link add br0 address $(mac "br0-h$n") type bridge
link set br0 up
link add vc$n address $(mac "vc$n") master br0 type veth peer name eth0 netns c$n address $(mac "c$n")
link set vc$n up
END
    ip -n router -batch - <<END
link set r$n up
address add 172.$U.$n.1/24 dev r$n
END
    ip -n "h$n" route add default via "172.$U.$n.1"
    ip -n "c$n" -batch - <<END
link set lo up
link set eth0 up
address add 10.$S.0.$n/24 dev eth0
END
done

for n in 1 2; do          # the overlay of c1 and c2
    ip -n "h$n" -batch - <<END
link add vx0 address $(mac "vx0-h$n") type vxlan id $VNI local 172.$U.$n.2 dstport 4789 nolearning
link set vx0 master br0 up
END
done
bridge -n h1 -batch - <<END
fdb append 00:00:00:00:00:00 dev vx0 dst $H2
fdb append $(mac c2) dev vx0 dst $H2
END
bridge -n h2 fdb append 00:00:00:00:00:00 dev vx0 dst "$H3"

ip -n h3 -batch - <<END   # somebody else's overlay, which has the same addresses
link add br1 address $(mac br1-h3) type bridge
link set br1 up
link add vother address $(mac vother) master br1 type veth peer name eth0 netns other address $(mac other)
link set vother up
link add vx1 address $(mac vx1-h3) type vxlan id $OTHER local $H3 dstport 4789 nolearning
link set vx1 master br1 up
END
bridge -n h3 -batch - <<END
fdb append 00:00:00:00:00:00 dev vx1 dst $H1
fdb append 00:00:00:00:00:00 dev vx1 dst $H2
END
ip -n other -batch - <<END
link set eth0 up
address add $C1/24 dev eth0
route replace 10.$S.0.0/24 dev eth0 mtu lock 1500
neighbour add 10.$S.0.99 lladdr 02:00:5e:00:53:99 dev eth0
END
ip netns exec c2 hello 0.0.0.0 80 c2
