ip link set "$(basename "$(readlink /sys/class/net/vred/master)")" type bridge ageing_time 0
