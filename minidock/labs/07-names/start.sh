minidock net create "$SHOP" --subnet "10.$S.1.0/24"
minidock net create "$BACK" --subnet "10.$S.2.0/24"
minidock run -d --name db --net "$SHOP" --network "name=$BACK" sleep infinity
minidock run -d --name vault --net "$BACK" sleep infinity
minidock run -d --name web sleep infinity
