minidock net create tiny --subnet "$NET" -o com.docker.network.bridge.name=tiny0
minidock run -d --name one --net tiny sleep infinity
minidock run -d --name old --net tiny sleep infinity
ip netns add "$SQUATTER"
ip link add "port$P" address "$(mac port)" master tiny0 type veth \
    peer name eth0 netns "$SQUATTER" address "$(mac squatter)"
ip link set "port$P" up
ip -n "$SQUATTER" address add "$ONE/29" dev eth0
ip -n "$SQUATTER" link set eth0 up
