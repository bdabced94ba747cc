ip -n blue link set eth0 down
