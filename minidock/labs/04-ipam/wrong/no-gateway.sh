# fails: gateway
# mistake: no-gateway
minidock rm -f one old
minidock net rm tiny
minidock net create tiny --subnet "$NET" -o com.docker.network.bridge.name=tiny0 -o com.docker.network.bridge.inhibit_ipv4=true
minidock run -d --name one --net tiny sleep infinity
