# fails: ping
# mistake: no-address
ip link add to-guest type veth peer name eth0 netns guest
ip address add "10.0.$S.254/24" dev to-guest
ip link set to-guest up
ip -n guest link set eth0 up
