minidock port add db 5432:5432
