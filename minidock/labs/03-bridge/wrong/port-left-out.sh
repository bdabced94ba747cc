# fails: red-blue
# mistake: port-left-out
ip link add sw type bridge
ip link set sw up
for port in vred vgreen; do
    ip link set "$port" master sw up
done
