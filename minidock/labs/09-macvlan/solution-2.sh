ip link add shim link lan0 address "$(mac shim)" type macvlan mode bridge
ip address add "$H/24" dev shim
ip link set shim up
