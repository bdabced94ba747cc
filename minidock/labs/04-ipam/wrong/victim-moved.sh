# fails: evicted
# mistake: victim-moved
minidock rm -f one old
minidock net rm tiny
minidock net create tiny --subnet "$NET" --aux-address "$SQUATTER=$ONE" -o com.docker.network.bridge.name=tiny0
minidock run -d --name one --net tiny sleep infinity
ip link set "port$P" master tiny0
