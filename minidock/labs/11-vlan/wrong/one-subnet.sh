# fails: own-wire
# mistake: one-subnet
. "${0%/*}/../solution.sh"
for each in "till $TILL" "safe $SAFE"; do
    set -- $each
    minidock exec --privileged "$1" sh -c "ip address add $2/16 dev eth0 && ip address del $2/24 dev eth0"
done
ip netns exec router sysctl -qw net.ipv4.conf.all.proxy_arp=1
