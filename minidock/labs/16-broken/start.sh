HERE=$(dirname "$0")
cp "$HERE/words.sh" "$HERE/picture.sh" /run/lab/
. /run/lab/words.sh
minidock net create shop --subnet "10.$S.1.0/24" -o com.docker.network.bridge.name=br-shop
minidock net create yard --subnet "10.$S.2.0/24" -o com.docker.network.bridge.name=br-yard
note db "$(run_db)"
note api "$(run_api)"
minidock run -d --name stranger --net yard sleep infinity
bash /run/lab/picture.sh >/run/lab/healthy
eval "$_INJECT"
bash /run/lab/picture.sh >/run/lab/broken
