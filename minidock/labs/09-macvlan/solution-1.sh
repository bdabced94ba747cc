network() { # network NAME NUMBER MODE PARENT
    minidock net create -d macvlan --subnet "10.$S.$2.0/24" -o parent="$4" -o macvlan_mode="$3" "$1"
}
network open 1 bridge lan0
network shut 2 private lan0
network office 3 vepa lan0
network whole 4 passthru lan1
for each in "b1 open $B1" "b2 open $B2" "p1 shut $P1" "p2 shut $P2" "v1 office $V1" "v2 office $V2"; do
    set -- $each
    minidock run -d --name "$1" --net "$2" --ip "$3" sleep 86400
done
minidock run -d --name x1 \
    --network "name=whole,ip=$X1,mac-address=$CARD,driver-opt=com.docker.network.endpoint.ifname=lan1" sleep 86400
