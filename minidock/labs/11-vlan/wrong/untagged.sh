# fails: tagged-blue
# mistake: untagged
minidock rm -f safe
minidock net rm vault
minidock net create -d macvlan --subnet "10.$S.2.0/24" --gateway "10.$S.2.1" -o parent=lan0 vault
minidock run -d --name safe --net vault --ip "$SAFE" sleep 86400
