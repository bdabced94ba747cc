# fails: echo
# mistake: end-down
ip link add eth0 netns red type veth peer name eth0 netns blue
ip -n red address add "$A/24" dev eth0
ip -n blue address add "$B/24" dev eth0
ip -n red link set eth0 up
