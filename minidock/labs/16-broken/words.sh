# Words for the scripts of this lab. What start.sh noted of the healthy network is in /run/lab/facts.
. /run/lab/facts 2>/dev/null || true

note() { # the namespace, the host's end of the cable and the MAC address of a container: NAME ID
    local namespace=md-${2:0:12} link index
    link=$(ip -n "$namespace" -o link show eth0)
    index=${link#*@if} index=${index%%:*} mac=${link##*ether } mac=${mac%% *}
    port=$(grep -lx "$index" /sys/class/net/*/ifindex)
    port=${port%/ifindex} port=${port##*/}
    printf '%s\n' "NS_$1=$namespace PORT_$1=$port MAC_$1=$mac" >>/run/lab/facts
    . /run/lab/facts
}

namespace() { local name=NS_$1; echo "${!name}"; }
port() { local name=PORT_$1; echo "${!name}"; }
mac_of() { local name=MAC_$1; echo "${!name}"; }

serve() { # its server anew: NAME ADDRESS PORT
    minidock exec "$1" sh -c "pkill -x hello; until /run/lab/hello $2 $3 $1 2>/dev/null; do sleep 0.02; done"
}

run_db() {
    minidock run -d --cap-add NET_ADMIN --name db --net shop --ip "$DB" sh -c '/run/lab/hello -f 0.0.0.0 5432 db & exec sleep infinity'
}

run_api() {
    minidock run -d --cap-add NET_ADMIN --name api --net shop --ip "$API" -p "$PORT:80" \
        sh -c '/run/lab/hello -f 0.0.0.0 80 api & exec sleep infinity' | tail -1
}
