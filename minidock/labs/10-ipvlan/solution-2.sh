minidock net create -d ipvlan -o ipvlan_mode=l3 --subnet "$SC" --subnet "$SD" -o parent=lan0 far
minidock run -d --name cat --net far --ip "$C" sleep 86400
minidock run -d --name dog --net far --ip "$D" sleep 86400
