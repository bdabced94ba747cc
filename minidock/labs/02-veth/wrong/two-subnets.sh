# fails: echo
# mistake: two-subnets
ip link add eth0 netns red type veth peer name eth0 netns blue
ip -n red address add "$A/24" dev eth0
ip -n blue address add "10.1.$S.2/24" dev eth0
ip -n red link set eth0 up
ip -n blue link set eth0 up
