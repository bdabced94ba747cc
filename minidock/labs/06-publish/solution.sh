minidock port add web "$PORT:80"
minidock port add web "127.0.0.1:$ADMIN:8000"
minidock port rm db 5432
