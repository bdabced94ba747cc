ip link set tap0 nomaster
