# fails: owner-2
# mistake: ledger-edited
edit='
import sqlite3, sys
db = sqlite3.connect("/run/minidock/run.db")
with db:
    db.execute("UPDATE endpoints SET config = replace(config, ?, ?)", sys.argv[1:])
'
of() { ip -n "$1" -br link show eth0 | awk '{print $3}'; }
one="md-$(minidock inspect one --format '{{.Id}}' | cut -c1-12)"
python3 -c "$edit" "$(of "$one")" "$(of "$SQUATTER")"
