ip -n router route add "$SC" via 10.77.0.2
ip -n router route add "$SD" via 10.77.0.2
