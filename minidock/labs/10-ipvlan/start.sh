ip link add lan1 address "$(mac lan1)" type veth peer name host2 netns switch address "$(mac host2)"
sysctl -qw net.ipv4.conf.lan1.arp_ignore=1
ip link set lan1 up
ip -n switch link set host2 master sw up
