ip link add sw type bridge
ip link set sw up
for port in vred vgreen vblue; do
    ip link set "$port" master sw up
done
