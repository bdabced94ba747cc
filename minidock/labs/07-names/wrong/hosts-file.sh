# fails: db
# mistake: hosts-file
minidock net connect bridge db
minidock rm -f web
minidock run -d --name web --link "db:$ALIAS" sleep infinity
