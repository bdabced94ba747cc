# fails: too-big
# mistake: still-filtered
nft flush table ip hardening
nft add rule ip hardening forward icmp type != '{ echo-request, echo-reply, time-exceeded }' drop
