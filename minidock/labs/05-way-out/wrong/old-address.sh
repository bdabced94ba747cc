# fails: out
# mistake: old-address
ip -n app route add default via "$GATEWAY"
minidock net create --subnet "$NET" -o com.docker.network.bridge.name=lab0 -o com.docker.network.host_ipv4="$OLD" out
