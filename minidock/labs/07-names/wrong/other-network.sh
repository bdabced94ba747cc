# fails: db
# mistake: other-network
minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" --alias "$ALIAS" "$SHOP" db
minidock net connect "$BACK" web
