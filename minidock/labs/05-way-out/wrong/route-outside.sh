# fails: out
# mistake: route-outside
ip -n app route add default via "$GATEWAY"
minidock net create --subnet "$NET" -o com.docker.network.bridge.name=lab0 -o com.docker.network.bridge.enable_ip_masquerade=false out
ip -n internet route add "$NET" via 198.51.100.2
