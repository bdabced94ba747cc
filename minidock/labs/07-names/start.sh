minidock net create "$SHOP" --subnet "10.$S.1.0/24" -o com.docker.network.container_iface_prefix="$SHOP"
minidock net create "$BACK" --subnet "10.$S.2.0/24" -o com.docker.network.container_iface_prefix="$BACK"
minidock run -d --name db --net "$SHOP" --network "name=$BACK" sleep infinity
minidock run -d --name vault --net "$BACK" sleep infinity
minidock run -d --name web sleep infinity
