# fails: tagged-red
# mistake: tag-inside
minidock net create -d macvlan --subnet "10.$S.1.0/24" -o parent=lan0 sales
minidock run -d --name till --net sales --ip "$TILL" sleep 86400
minidock exec --privileged till sh -c "ip link add link eth0 name tagged type vlan id $RED
    ip address flush dev eth0
    ip address add $TILL/24 dev tagged
    ip link set tagged up"
