# fails: neighbours
# mistake: v6-off
minidock rm -f web
minidock net rm six
minidock net create six --subnet "10.$S.1.0/24" -o com.docker.network.bridge.name=br-six \
    -o com.docker.network.enable_ipv4=true --ipv6=false
minidock run -d --init --name web --net six /run/lab/hello -f 0.0.0.0 80 web
