minidock net create shop --subnet "$NET" -o com.docker.network.bridge.ipv6_relay=false
minidock run -d --name web --net shop \
    sh -c '/run/lab/hello -f 0.0.0.0 80 web & exec /run/lab/hello -f 0.0.0.0 8000 admin'
minidock run -d --name db --net shop -p 5432:5432 /run/lab/hello 0.0.0.0 5432 db
iptables -A INPUT -p tcp --dport "$PORT" -j ACCEPT
iptables -A INPUT -p tcp --dport 5432 -j DROP
for reachable in "$NET" 127.0.0.0/8; do
    ip -n internet route add "$reachable" via "$HOST"
done
