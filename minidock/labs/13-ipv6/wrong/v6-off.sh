# fails: neighbours
# mistake: v6-off
sysctl -qw net.ipv6.conf.br-six.disable_ipv6=1
