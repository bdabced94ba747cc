# fails: external
# mistake: resolver-elsewhere
minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" --alias "$ALIAS" "$SHOP" db
minidock net connect "$SHOP" web
minidock exec web sh -c "echo 'nameserver 192.0.2.53' > /etc/resolv.conf"
