# fails: private
# mistake: input-rule
minidock port add web "$PORT:80"
minidock port add web "127.0.0.1:$ADMIN:8000"
iptables -I INPUT -i up0 -p tcp --dport 5432 -j DROP
