# fails: lan-bridge
# mistake: bridge-driver
minidock net create --subnet "10.$S.1.0/24" --gateway "$H" open
minidock run -d --name b1 --net open --ip "$B1" sleep 86400
sysctl -qw net.ipv4.conf.lan0.proxy_arp=1
