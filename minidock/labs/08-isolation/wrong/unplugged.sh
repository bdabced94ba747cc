# fails: staff
# mistake: unplugged
iptables -I MINIDOCK-USER -i br-office -o br-shop -j DROP
iptables -I MINIDOCK-USER -i br-shop -o br-office -j DROP
minidock net disconnect office staff
