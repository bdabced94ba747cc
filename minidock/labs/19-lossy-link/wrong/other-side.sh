# fails: quick
# mistake: other-side
tc filter del dev vnear ingress
tc qdisc change dev vfar root netem delay "${DELAY}ms" loss 0%
