# fails: admin-closed
# mistake: admin-open
minidock port add web "$PORT:80"
minidock port add web "$ADMIN:8000"
minidock port rm db 5432
