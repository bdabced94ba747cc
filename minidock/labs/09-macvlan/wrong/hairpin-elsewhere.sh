# fails: vepa-talk
# mistake: hairpin-elsewhere
minidock net create -d macvlan --subnet "10.$S.3.0/24" -o parent=lan0 -o macvlan_mode=vepa office
minidock run -d --name v1 --net office --ip "$V1" sleep 86400
minidock run -d --name v2 --net office --ip "$V2" sleep 86400
bridge -n switch link set dev peer1 hairpin on
