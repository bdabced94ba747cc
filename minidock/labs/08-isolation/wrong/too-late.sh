# fails: office-shop
# mistake: too-late
iptables -A FORWARD -i br-office -o br-shop -j DROP
iptables -A FORWARD -i br-shop -o br-office -j DROP
