ip -n blue address del "$B/24" dev eth0
