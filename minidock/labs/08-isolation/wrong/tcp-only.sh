# fails: office-shop
# mistake: tcp-only
iptables -I MINIDOCK-USER -i br-office -o br-shop -p tcp --syn -j DROP
iptables -I MINIDOCK-USER -i br-shop -o br-office -p tcp --syn -j DROP
