# fails: private-direct
# mistake: unprotected
minidock rm -f web db
minidock net rm shop
minidock net create shop --subnet "$NET" -o "${option:-com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected}"
minidock run -d --name web --net shop -p "$PORT:80" -p "127.0.0.1:$ADMIN:8000" \
    sh -c '/run/lab/hello -f 0.0.0.0 80 web & exec /run/lab/hello -f 0.0.0.0 8000 admin'
minidock run -d --name db --net shop /run/lab/hello 0.0.0.0 5432 db
