# All that can be broken, one line each, so that two pictures can be compared: what comes and goes by itself is left out.
. /run/lab/words.sh

look() { # at the network namespace we are in: PLACE
    echo "== $1"
    ip -o -force -batch - <<<$'link\naddress\nroute show table all\nrule\nneigh show nud permanent'
    cd /proc/sys/net
    grep -s . bridge/* ipv4/{ip_forward,ip_default_ttl,icmp_echo_ignore_all} \
        ipv4/conf/*/{forwarding,rp_filter,arp_{ignore,filter,announce},proxy_arp,accept_local,route_localnet}
    iptables-save 2>/dev/null
    nft list tables 2>/dev/null
    ss -Hltn
}

switch() { # what the bridges know
    bridge -d -o link
    bridge fdb show
}

container() { # NAME NAMESPACE
    nsenter --net="/run/netns/$2" bash -c "look $1"
    grep -sh . "/run/minidock/containers/${2#md-}/"{resolv.conf,hosts}
    stat -Lc "is $2 %i since %z" "/run/netns/$2" # inode numbers are used again
}

tidied() { # each line after the name of where it was seen
    sed -E '/^== /{s///; h; d}
        /^$| fe80|^(broadcast|multicast|local fe80|anycast|fe80|ff00)/d; /^([0-9a-f]{2}:){5}[0-9a-f]{2} dev br-/d
        /^([0-9a-f]{2}:){5}[0-9a-f]{2} dev/{/ master .*(permanent|static)/!d}
        /^(#|\*|COMMIT$)|^table .* (filter|nat|raw|mangle)$/d; /^:.* \[[0-9]+:[0-9]+\]$/{/^:[A-Z]+ DROP/!d}
        s/^[0-9]+: //; s/link-netns(id)? [^ ]+//
        s/@if[0-9]+/@/; s/ state (UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT)//; s/,?(NO-CARRIER|LOWER_UP|M-DOWN)//g; s/<,/</
        s/ (proto|brd) [^ ]+//g; s/ (linkdown|dead|secondary|dynamic|tentative)//g; s/ \[[0-9]+:[0-9]+\]//
        s/ -m comment --comment ("[^"]*"|[^ ]+)//; s/^LISTEN +[0-9]+ +[0-9]+/LISTEN/; s/ +/ /g; s/ $//
        G; s/(.*)\n(.*)/\2 \1/'
}

export -f look
{
    look host
    switch
    for each in api db; do container $each "$(namespace $each)"; done
} | tidied
