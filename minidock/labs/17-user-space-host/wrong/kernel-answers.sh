# fails: arp
# mistake: kernel-answers
ip tuntap add tap0 mode tap
ip link set tap0 up master lab0
ip address add "$ADDRESS/24" dev tap0
