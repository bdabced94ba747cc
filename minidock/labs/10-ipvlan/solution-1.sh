minidock net create -d ipvlan --subnet 10.77.0.0/24 --ip-range 10.77.0.128/25 -o parent=lan1 near
for each in "web1 $W1" "web2 $W2" "web3 $W3"; do
    set -- $each
    minidock run -d --name "$1" --net near --ip "$2" sleep 86400
done
