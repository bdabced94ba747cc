# fails: guest-staff
# mistake: switched-past
iptables -I MINIDOCK-USER -i br-office -o br-shop -j DROP
iptables -I MINIDOCK-USER -i br-shop -o br-office -j DROP
iptables -I FORWARD -s "$GUEST" -d "$STAFF" -j DROP
