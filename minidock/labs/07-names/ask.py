"""ask.py SERVER NAME NONCE: ask a name server for the IPv4 address of a name, or for the name of an IPv4 address.

The nonce travels as a DNS cookie (RFC 7873), so that a tap can tell this question from all others.
"""

import contextlib
import socket
import struct
import sys
from ipaddress import ip_address

A, PTR, OPT, COOKIE = 1, 12, 41, 10
NO_SUCH_NAME = 3


def main(server, name, nonce):
    """Print what is answered, in one line."""
    with contextlib.suppress(ValueError):
        name = ip_address(name).reverse_pointer
    kind = PTR if name.endswith(".arpa") else A
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(
        ">HH", kind, 1)
    cookie = b"\0" + struct.pack(">HHIHHH", OPT, 4096, 0, 12, COOKIE, 8) + bytes.fromhex(nonce)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.7)
        sock.connect((server, 53))
        sock.send(bytes.fromhex(nonce)[:2] + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 1) + question + cookie)
        print(f"{name}: {told(sock.recv(4096), 12 + len(question))}")


def told(reply, at):
    """The first answer and for how long it is true."""
    code, count = reply[3] & 15, int.from_bytes(reply[6:8], "big")
    if not count:
        return "no such name" if code == NO_SUCH_NAME else f"nothing (code {code})"
    while reply[at] and reply[at] < 192:
        at += reply[at] + 1
    at += 2 if reply[at] else 1
    kind, _, ttl, length = struct.unpack_from(">HHIH", reply, at)
    data = reply[at + 10:at + 10 + length]
    said = socket.inet_ntoa(data) if kind == A else ".".join(labels(data))
    return f"{said}, ttl {ttl}"


def labels(data):
    """The labels of a name that is not compressed."""
    while data and data[0]:
        yield data[1:data[0] + 1].decode()
        data = data[data[0] + 1:]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: no answer from {sys.argv[1]}: {error}")
