ip link set vblue down
