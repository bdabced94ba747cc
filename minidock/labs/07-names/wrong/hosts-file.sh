# fails: db
# mistake: hosts-file
minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" --alias "$ALIAS" "$SHOP" db
minidock net connect "$SHOP" web
minidock exec web sh -c "echo '$DBIP db $ALIAS' >> /etc/hosts; echo 'nameserver 198.51.100.1' > /etc/resolv.conf"
