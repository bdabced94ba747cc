iptables -I MINIDOCK-USER -i br-office -o br-shop -j DROP
iptables -I MINIDOCK-USER -i br-shop -o br-office -j DROP
for port in $(ls /sys/class/net/br-office/brif); do
    bridge link set dev "$port" isolated on
done
minidock rm -f archive
minidock net rm records
minidock net create records --internal --subnet "10.$S.3.0/24" -o com.docker.network.bridge.name=br-records
minidock run -d --name archive --net records sleep infinity
