# fails: whole-1
# mistake: cut-up
bridge -n h2 fdb append 00:00:00:00:00:00 dev vx0 dst "$H1"
bridge -n h2 fdb append "$(mac c1)" dev vx0 dst "$H1"
ip -n h3 link add vx0 type vxlan id "$VNI" local "$H3" dev eth0 dstport 4789 nolearning
ip -n h3 link set vx0 master br0 up
for host in "$H1 c1" "$H2 c2"; do
    set -- $host
    bridge -n h3 fdb append 00:00:00:00:00:00 dev vx0 dst "$1"
    bridge -n h3 fdb append "$(mac "$2")" dev vx0 dst "$1"
done
bridge -n h1 fdb append 00:00:00:00:00:00 dev vx0 dst "$H3"
for host in h1 h2; do
    bridge -n "$host" fdb append "$(mac c3)" dev vx0 dst "$H3"
done
