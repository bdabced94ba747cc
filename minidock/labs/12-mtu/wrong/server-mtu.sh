# fails: theirs
# mistake: server-mtu
ip -n site link set eth0 mtu 1400
