# fails: quick
# mistake: half-each
tc filter del dev vnear ingress
tc qdisc change dev vfar root netem delay "$((DELAY / 2))ms" loss 0%
tc qdisc add dev vnear root netem delay "$((DELAY / 2))ms"
