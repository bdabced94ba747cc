bridge -n h2 fdb del "$(mac c1)" dev vx0 dst "$H1"
