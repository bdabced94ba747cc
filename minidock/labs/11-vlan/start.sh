ip -n router -batch - <<END
link add link eth0 name eth0.$RED type vlan id $RED
link add link eth0 name eth0.$BLUE type vlan id $BLUE
link set eth0.$RED up
link set eth0.$BLUE up
address add 10.$S.1.1/24 dev eth0.$RED
address add 10.$S.2.1/24 dev eth0.$BLUE
END
ip -n peer1 address add "$SHOP/24" dev eth0
ip -n peer2 address add "$BANK/24" dev eth0
ip -n switch link set sw type bridge vlan_filtering 1
bridge -n switch -batch - <<END
vlan add dev router vid $RED
vlan add dev router vid $BLUE
vlan del dev peer1 vid 1
vlan add dev peer1 vid $RED pvid untagged
vlan del dev peer2 vid 1
vlan add dev peer2 vid $BLUE pvid untagged
vlan del dev host vid 1
vlan add dev host vid $RED
vlan add dev host vid $BLUE pvid untagged
END
minidock net create -d macvlan --subnet "10.$S.2.0/24" --gateway "10.$S.2.1" -o parent="lan0.$RED" vault >/dev/null
minidock run -d --name safe --net vault --ip "$SAFE" sleep 86400 >/dev/null
