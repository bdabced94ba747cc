# fails: silent
# mistake: mode-l2
minidock net create -d ipvlan --subnet "$SC" --gateway "${C%.*}.1" --subnet "$SD" --gateway "${D%.*}.1" -o parent=lan0 -o ipvlan_flag=private far
minidock run -d --name cat --net far --ip "$C" sleep 86400
minidock run -d --name dog --net far --ip "$D" sleep 86400
