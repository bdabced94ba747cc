# fails: host
# mistake: other-source
minidock net create -d macvlan --subnet "10.$S.1.0/24" -o parent=lan0 -o host_access=true open
minidock run -d --name b1 --net open --ip "$B1" sleep 86400
