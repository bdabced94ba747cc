open=com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected
minidock net create office --subnet "10.$S.1.0/24" -o com.docker.network.bridge.name=br-office -o $open
minidock net create shop --subnet "10.$S.2.0/24" -o com.docker.network.bridge.name=br-shop -o $open
minidock net create records --subnet "10.$S.3.0/24" -o com.docker.network.bridge.name=br-records
minidock run -d --name guest --net office --ip "$GUEST" sleep infinity
minidock run -d --name staff --net office --ip "$STAFF" sleep infinity
minidock run -d --name till --net shop --ip "$TILL" sleep infinity
minidock run -d --name archive --net records sleep infinity
calls=net.bridge.bridge-nf-call-iptables
[ ! -e "/proc/sys/net/bridge/bridge-nf-call-iptables" ] || sysctl -qw $calls=0
