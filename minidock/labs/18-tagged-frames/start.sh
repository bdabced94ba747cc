for each in "red $RED $GATEWAY1" "blue $BLUE $GATEWAY2"; do
    set -- $each
    ip netns add "$1"
    ip link add "v$1" address "$(mac "host-$1")" type veth peer name eth0 netns "$1" address "$(mac "$1")"
    ip link set "v$1" up
    ip -n "$1" -batch - <<END
link set lo up
address add $2/24 dev eth0
link set eth0 up
neighbor add $3 dev eth0 lladdr $(mac "gateway-$1") nud permanent
END
done
ip netns add office
ip link add trunk address "$(mac trunk)" type veth peer name trunk netns office address "$(mac office)"
ip link set trunk up
ip -n office link set trunk up

sed -n '1s/ .*//p' "$(command -v hello)" | tee /run/office.py >/run/switch.py
cat >>/run/office.py <<END
"""Two gateways of the office, each in its VLAN: once a second they say where they are (gratuitous ARP)."""

import socket
import time


def announced(vid, address, mac):
    mac, address = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    tagged = b"\xff" * 6 + mac + b"\x81\x00" + vid.to_bytes(2, "big") + b"\x08\x06"
    return tagged + b"\x00\x01\x08\x00\x06\x04\x00\x01" + mac + address + bytes(6) + address


trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
trunk.bind(("trunk", 0))
while True:
    trunk.send(announced($_VLAN1, "$GATEWAY1", "$(mac gateway-red)"))
    trunk.send(announced($_VLAN2, "$GATEWAY2", "$(mac gateway-blue)"))
    time.sleep(1)
END
cat >>/run/switch.py <<END
"""A switch in user space: an access port for red, one for blue, and a trunk, where tags say whose a frame is."""

import select

from scapy.arch.linux import L2Socket
from scapy.layers.l2 import Dot1Q, Ether

VLANS = {"vred": 0, "vblue": 0}


def to_trunk(frame, vid):
    """What goes out on the trunk for a frame that came in by the access port of this VLAN, or None."""
    print(repr(frame), flush=True)


def to_access(frame, vid):
    """What goes out by the access port of this VLAN for a frame that came in by the trunk, or None."""
    print(repr(frame), flush=True)


def send(port, frame):
    if frame is not None:
        port.send(frame)


trunk = L2Socket(iface="trunk")
access = {L2Socket(iface=name): vid for name, vid in VLANS.items()}
print("ready", flush=True)
while True:
    for port in select.select([trunk, *access], [], [])[0]:
        frame = port.recv()
        if frame is not None and port is not trunk:
            send(trunk, to_trunk(frame, access[port]))
        elif frame is not None:
            for station, vid in access.items():
                send(station, to_access(frame, vid))
END
chmod +x /run/office.py /run/switch.py
ip netns exec office /run/office.py >/dev/null 2>&1 &
