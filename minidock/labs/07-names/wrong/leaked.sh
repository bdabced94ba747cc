# fails: stranger
# mistake: leaked
minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" --alias "$ALIAS" "$SHOP" db
minidock net connect "$SHOP" web
