[ -w /dev/net/tun ] || { echo "/dev/net/tun is missing or not yours: modprobe tun; chmod 666 /dev/net/tun"; exit 1; }
ip link add lab0 address "$(mac lab0)" type bridge
ip address add "$GATEWAY/24" dev lab0
ip link set lab0 up
for each in "red $RED" "blue $BLUE"; do
    set -- $each
    ip netns add "$1"
    ip link add "v$1" address "$(mac "host-$1")" master lab0 type veth peer name eth0 netns "$1" address "$(mac "$1")"
    ip link set "v$1" up
    ip -n "$1" link set lo up
    ip -n "$1" address add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
done
sed -n '1s/ .*//p' "$(command -v hello)" >/run/host.py
cat >>/run/host.py <<END
"""A host in user space: what the bridge sends to tap0 is read here; what is written here, the bridge receives."""

import fcntl
import os
import struct

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

ADDRESS, MAC, TTL = "$ADDRESS", "$MAC", $TTL
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h


def answer(frame):
    """The frame to send back, or None."""
    print(frame.summary(), flush=True)


tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", b"tap0", IFF_TAP | IFF_NO_PI))
while True:
    reply = answer(Ether(os.read(tap, 65536)))
    if reply is not None:
        os.write(tap, bytes(reply))
END
chmod +x /run/host.py
