# fails: own-address
# mistake: nat66
ip -n printer address del "$WEB/64" dev eth0
minidock restart web
ip6tables -F INPUT
ip6tables -F OUTPUT
ip6tables -t nat -A POSTROUTING -s "$PREFIX" -o up0 -j MASQUERADE
