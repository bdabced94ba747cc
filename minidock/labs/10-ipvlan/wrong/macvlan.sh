# fails: web1
# mistake: macvlan
minidock net create -d macvlan --subnet 10.77.0.0/24 --ip-range 10.77.0.128/25 -o parent=lan1 near
minidock run -d --name web1 --net near --ip "$W1" sleep 86400
