# All that can be broken, one line each, so that two pictures can be compared: what comes and goes by itself is left out.
. /run/lab/words.sh

look() { # at the network namespace we are in
    ip -o link
    ip -o address
    ip route show table all
    ip rule
    ip neigh show nud permanent
    cd /proc/sys/net
    grep -s . bridge/* ipv4/{ip_forward,ip_default_ttl,icmp_echo_ignore_all} \
        ipv4/conf/*/{forwarding,rp_filter,arp_{ignore,filter,announce},proxy_arp,accept_local,route_localnet}
    iptables-save 2>/dev/null | grep -E '^-A|^:[A-Z]+ DROP'
    nft list tables 2>/dev/null | grep -vE ' (filter|nat|raw|mangle)$'
    ss -Hltn
}

files() { # of a container
    grep -shv '^#' "/run/minidock/containers/${1#md-}/resolv.conf" "/run/minidock/containers/${1#md-}/hosts"
    stat -Lc "is $1 %i" "/run/netns/$1"
}

switch() { # what the bridges know
    bridge -d -o link
    bridge fdb show | grep -E ' master .*(permanent|static)' | grep -v 'dev br-'
}

tidied() { # each line after the name of where it was seen
    sed -E '/^$| fe80|^(broadcast|multicast|local fe80|anycast|fe80|ff00)/d; s/^[0-9]+: //; s/link-netns(id)? [^ ]+//
        s/@if[0-9]+/@/; s/ state (UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT)//; s/,?(NO-CARRIER|LOWER_UP|M-DOWN)//g; s/<,/</
        s/ (proto|brd) [^ ]+//g; s/ (linkdown|dead|secondary|dynamic|tentative)//g; s/ \[[0-9]+:[0-9]+\]//
        s/ -m comment --comment ("[^"]*"|[^ ]+)//; s/^LISTEN +[0-9]+ +[0-9]+/LISTEN/; s/ +/ /g; s/ $//; '"s/^/$1 /"
}

export -f look
{ look; switch; } | tidied host
minidock inspect api db 2>/dev/null | grep -E '"(Created|StartedAt)"' | tidied made   # inode numbers are used again
for each in api db; do
    namespace=$(namespace $each)
    { ip netns exec "$namespace" bash -c look; files "$namespace"; } | tidied $each
done
