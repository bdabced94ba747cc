# fails: ping
# mistake: no-route
ip link add to-guest type veth peer name eth0 netns guest
ip link set to-guest up
ip -n guest address add "$ADDRESS/24" dev eth0
ip -n guest link set eth0 up
