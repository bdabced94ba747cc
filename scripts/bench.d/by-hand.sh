#!/bin/sh
# What minidock does, typed by hand. The bridge of `run` is br0 with 172.28.0.1/16.
#
#   by-hand.sh run NAME HOSTNIC ADDRESS [rule]   as `minidock run --rm --net br0 true`; rule: its raw rule as well
#   by-hand.sh start NAME HOSTNIC ADDRESS        its first half, on $BRIDGE if that is set; and what ends it:
#   by-hand.sh stop NAME HOSTNIC
#   by-hand.sh net BRIDGE                        as `minidock net create` and `minidock net rm`, six rules included
set -e

run() {
    start "$@"
    [ -z "$4" ] || iptables -t raw -D PREROUTING -d "$3" ! -i br0 -j DROP
    stop "$@"
}

start() {
    ip netns add "$1"
    ip link add "$2" up master "${BRIDGE:-br0}" type veth peer name eth0 netns "$1"
    ip -n "$1" link set lo up
    [ -z "$4" ] || iptables -t raw -A PREROUTING -d "$3" ! -i br0 -j DROP
    ip -n "$1" addr add "$3/16" dev eth0
    ip -n "$1" link set eth0 up
    ip -n "$1" route add default via 172.28.0.1
    ip netns exec "$1" unshare -pfmui --mount-proc true
}

stop() {
    ip link del "$2"
    ip netns del "$1"
}

rules() { # -A or -D
    iptables -t nat "$1" POSTROUTING -s 172.27.0.0/16 ! -o "$2" -j MASQUERADE
    iptables -t nat "$1" POSTROUTING -o "$2" -m addrtype --src-type LOCAL -j MASQUERADE
    iptables "$1" FORWARD ! -i "$2" -o "$2" -j DROP
    iptables "$1" FORWARD -o "$2" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables "$1" FORWARD -i "$2" -j ACCEPT
    iptables "$1" FORWARD -o "$2" -j ACCEPT
}

net() {
    ip link add "$1" type bridge
    ip addr add 172.27.0.1/16 brd + dev "$1"
    rules -A "$1"
    ip link set "$1" up
    rules -D "$1"
    ip link del "$1"
}

"$@"
