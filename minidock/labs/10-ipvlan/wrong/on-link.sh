# fails: answer
# mistake: proxy-arp
. "${0%/*}/../solution-2.sh"
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.lan0.proxy_arp=1
ip -n router route add "$SC" dev eth0
ip -n router route add "$SD" dev eth0
