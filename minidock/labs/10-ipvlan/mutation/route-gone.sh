ip -n router route del "$SD"
