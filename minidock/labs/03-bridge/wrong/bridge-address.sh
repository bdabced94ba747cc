# fails: no-address
# mistake: bridge-address
ip link add sw type bridge
ip address add "10.0.$S.254/24" dev sw
ip link set sw up
for port in vred vgreen vblue; do
    ip link set "$port" master sw up
done
sysctl -qw net.ipv4.ip_forward=1
