# fails: inside
# mistake: lo-down
ip netns add "$RED"
ip netns exec "$RED" udp-echo 0.0.0.0 "$PORT"
