ip netns add "$RED"
ip -n "$RED" link set lo up
ip netns exec "$RED" udp-echo 127.0.0.1 "$PORT"
