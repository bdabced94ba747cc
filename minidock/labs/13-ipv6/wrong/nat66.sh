# fails: own-address
# mistake: nat66
ip -n printer address del "$WEB/64" dev eth0
minidock restart web
ip6tables -F INPUT
ip6tables -F OUTPUT
minidock net create out --ipv4=false --subnet "fd00:$P::/64" -o com.docker.network.enable_ipv6=true \
    -o com.docker.network.host_ipv6=2001:db8:100::2
minidock net connect --gw-priority 1 out web
