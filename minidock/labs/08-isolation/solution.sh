iptables -I MINIDOCK-USER -i br-office -o br-shop -j DROP
iptables -I MINIDOCK-USER -i br-shop -o br-office -j DROP
minidock rm -f guest staff archive
minidock net rm office records
minidock net create office --subnet "10.$S.1.0/24" -o com.docker.network.bridge.name=br-office -o com.docker.network.bridge.enable_icc=false
minidock net create records --internal --subnet "10.$S.3.0/24" -o com.docker.network.bridge.name=br-records
minidock run -d --name guest --net office --ip "$GUEST" sleep infinity
minidock run -d --name staff --net office --ip "$STAFF" sleep infinity
minidock run -d --name archive --net records sleep infinity
