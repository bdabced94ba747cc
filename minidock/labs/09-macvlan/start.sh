ip link add lan1 address "$CARD" type veth peer name host2 netns switch address "$(mac host2)"
ip link set lan1 up
ip -n switch link set host2 master sw up
for network in 1 2 3 4; do
    ip -n peer1 address add "10.$S.$network.1/24" dev eth0
done
