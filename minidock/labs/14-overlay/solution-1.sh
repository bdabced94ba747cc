bridge -n h2 fdb append 00:00:00:00:00:00 dev vx0 dst "$H1"
bridge -n h2 fdb append "$(mac c1)" dev vx0 dst "$H1"
ip -n c1 link set eth0 mtu 1450
ip -n c2 link set eth0 mtu 1450
