ip -n guest link set eth0 down
