ip -n "$RED" link set lo down
