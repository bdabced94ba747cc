# fails: host
# mistake: address-on-parent
minidock net create -d macvlan --subnet "10.$S.1.0/24" -o parent=lan0 open
minidock run -d --name b1 --net open --ip "$B1" sleep 86400
ip address add "$H/24" dev lan0
