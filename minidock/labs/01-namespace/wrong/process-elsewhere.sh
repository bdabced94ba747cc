# fails: inside
# mistake: process-elsewhere
ip netns add "$RED"
ip -n "$RED" link set lo up
unshare --net sh -c "ip link set lo up; udp-echo 127.0.0.1 $PORT"
