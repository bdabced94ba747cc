# fails: reached
# mistake: bound-home
option=com.docker.network.bridge.host_binding_ipv4=127.0.0.1
. "${0%/*}/unprotected.sh"
