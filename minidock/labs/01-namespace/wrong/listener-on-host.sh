# fails: inside
# mistake: listener-on-host
ip netns add "$RED"
ip -n "$RED" link set lo up
udp-echo 127.0.0.1 "$PORT"
