tc qdisc change dev vnear root netem delay 10ms
