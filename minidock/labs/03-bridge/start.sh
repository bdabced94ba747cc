for each in "red $A" "green $B" "blue $C"; do
    set -- $each
    ip netns add "$1"
    ip link add "v$1" address "$(mac "host-$1")" type veth peer name eth0 netns "$1" address "$(mac "$1")"
    ip -n "$1" link set lo up
    ip -n "$1" link set eth0 up
    ip -n "$1" address add "$2/24" dev eth0
done
