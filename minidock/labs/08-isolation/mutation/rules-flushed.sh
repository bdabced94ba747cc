iptables -F MINIDOCK-USER
