minidock net disconnect "$SHOP" db
minidock net connect --ip "$DBIP" "$SHOP" db
