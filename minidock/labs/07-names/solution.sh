minidock rm -f web
minidock run -d --name web --net "$SHOP" --dns-option ndots:1 sleep infinity
minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" --alias "$ALIAS" "$SHOP" db
