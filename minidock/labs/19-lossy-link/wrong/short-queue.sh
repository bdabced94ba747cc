# fails: late
# mistake: short-queue
tc qdisc del dev vfar root
tc filter del dev vnear ingress
tc qdisc add dev vnear root netem delay "${DELAY}ms" limit 5
