# fails: switched
# mistake: ageing-zero
ip link add sw type bridge ageing_time 0
ip link set sw up
for port in vred vgreen vblue; do
    ip link set "$port" master sw up
done
