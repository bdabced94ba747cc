minidock rm -f safe
minidock net rm vault
minidock net create -d macvlan --subnet "10.$S.2.0/24" --gateway "10.$S.2.1" -o parent="lan0.$BLUE" vault
minidock run -d --name safe --net vault --ip "$SAFE" sleep 86400
minidock net create -d macvlan --subnet "10.$S.1.0/24" --gateway "10.$S.1.1" -o parent="lan0.$RED" sales
minidock run -d --name till --net sales --ip "$TILL" sleep 86400
bridge -n switch vlan add dev host vid "$BLUE"
bridge -n switch vlan add dev host vid 1 pvid untagged
