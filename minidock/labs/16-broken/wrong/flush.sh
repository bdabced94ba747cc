# fails: published
# mistake: flushed
iptables -F
