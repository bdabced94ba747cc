ip -n app route add default via "$GATEWAY"
