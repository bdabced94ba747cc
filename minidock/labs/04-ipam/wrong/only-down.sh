# fails: evicted
# mistake: only-down
ip -n "$SQUATTER" link set eth0 down
