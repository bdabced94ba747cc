# fails: admin-direct
# mistake: trusted
option=com.docker.network.bridge.trusted_host_interfaces=up0
. "${0%/*}/unprotected.sh"
