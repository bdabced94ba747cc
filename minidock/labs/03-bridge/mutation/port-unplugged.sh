ip link set vgreen nomaster
