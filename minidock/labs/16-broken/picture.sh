# All that can be broken, one line each, so that two pictures can be compared: what comes and goes by itself is left out.
. /run/lab/words.sh

wires() {
    ip -o link | sed -E 's/^[0-9]+: //; s/link-netns(id)? [^ ]+//; s/@if[0-9]+/@/; s/ state [A-Z]+//; s/ mode [A-Z]+//
        s/,?(NO-CARRIER|LOWER_UP|M-DOWN)//g; s/<,/</; s/qdisc noqueue //; s/group default qlen [0-9]+//; s/^/link /'
    ip -o address | sed -E '/ fe80/d; s/^[0-9]+: //; s/ brd [^ ]+//; s/ (dynamic|secondary|tentative)//; s/\\.*//; s/^/address /'
    ip route show table all | sed -E '/^(broadcast|multicast) |fe80|ff00::/d; s/ proto [^ ]+//; s/ (linkdown|dead)//g; s/ +$//; s/^/route /'
    ip rule | sed 's/^/rule /'
    ip neigh show nud permanent | sed 's/^/neighbour /'
    ip -6 rule | sed 's/^/rule6 /'
}

settings() {
    cd /proc/sys/net/ipv4
    grep -s . ip_forward ip_default_ttl icmp_echo_ignore_all \
        conf/*/{forwarding,rp_filter,arp_ignore,arp_filter,arp_announce,proxy_arp,accept_local,route_localnet} | sed 's/^/kernel /'
    iptables-save 2>/dev/null | sed -E 's/ -m comment --comment ("[^"]*"|[^ ]+)//' |
        awk '/^\*/ { table = $1 } /^-A/ || /^:[A-Z]+ DROP/ { sub(/ \[.*/, ""); print "rule", table, $0 }'
    nft list tables 2>/dev/null | grep -vE ' (filter|nat|raw|mangle)$'
    ss -Hltn | awk '{ print "listens", $4 }'
}

export -f wires settings
for each in host api db; do
    namespace=$([ $each = host ] || namespace $each)
    in=${namespace:+ip netns exec $namespace}
    ${in:-env} bash -c 'wires; settings' | sort | sed "s/^/$each /"
    [ $each = host ] || echo "$each is $namespace $(stat -Lc %i "/run/netns/$namespace" 2>/dev/null)"
    for file in resolv.conf hosts; do
        grep -sv '^#' "/run/minidock/containers/${namespace#md-}/$file" | sed "s/^/$each $file /" || true
    done
done
bridge -d -o link | sed -E 's/^[0-9]+: /host port /; s/<[^>]*>//' | sort
bridge fdb show | grep -E ' master .*(permanent|static)' | grep -v 'dev br-' | sort
sysctl -q net.bridge 2>/dev/null | sed 's/^/host kernel /'
