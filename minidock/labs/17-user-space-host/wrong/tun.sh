# fails: arp
# mistake: tun
ip tuntap add tap0 mode tun
ip link set tap0 up
ip link set tap0 master lab0 || ip route add "$ADDRESS" dev tap0
