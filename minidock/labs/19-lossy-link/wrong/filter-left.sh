# fails: port
# mistake: filter-left
tc qdisc del dev vfar root
tc qdisc add dev vnear root netem delay "${DELAY}ms"
