"""Connection tracking over netlink (linux/netfilter/nfnetlink_conntrack.h): forgetting flows."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from minidock.kernel.netlink import DUMP, NetlinkSocket, Refusal, attribute, attributes
from minidock.model.record import Record

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*
_AF_INET, _AF_INET6 = 2, 10
_ORIGINAL, _REPLY, _ZONE = 1, 2, 18  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ZONE
_NESTED = 0x8000
_UDP = 17
PROTOCOLS = {"tcp": 6, "udp": _UDP, "sctp": 132}
_GONE = (errno.ENOENT, errno.EINVAL)  # somebody was faster; a kernel without this subsystem


class Published(Record):
    """A published port, or some in a row, as flows are compared with it; addresses packed."""

    protocol: int
    host: bytes  # zeros: every address of the host
    host_first: int
    host_last: int
    inside: bytes  # the container's address


class _Flow(Record):
    """One direction of a flow."""

    source: bytes
    target: bytes
    protocol: int
    port: int  # the destination's


def forget(socket: NetlinkSocket, published: Iterable[Published]) -> int:
    """Delete the flows to published ports: those led to the container, and of UDP those that were not.

    How many there were. A flow in another network namespace is not seen.
    """
    count = 0
    for family, length in ((_AF_INET, 4), (_AF_INET6, 16)):
        ports = [one for one in published if len(one.inside) == length]
        count += _forget(socket, family, ports) if ports else 0
    return count


def _forget(socket: NetlinkSocket, family: int, ports: list[Published]) -> int:
    header = bytes((family, 0, 0, 0))  # struct nfgenmsg
    doomed = [found for found in _all(socket, header) if _meant(found, ports)]
    for found in doomed:
        body = header + attribute(_ORIGINAL | _NESTED, found[_ORIGINAL])
        _quietly(socket, body + (attribute(_ZONE, found[_ZONE]) if _ZONE in found else b""))
    return len(doomed)


def _all(socket: NetlinkSocket, header: bytes) -> list[dict[int, bytes]]:
    try:
        return [attributes(body, 4) for _, body in socket.ask(_GET, DUMP, header)]
    except Refusal as refusal:
        if refusal.errno in _GONE:
            return []
        raise


def _quietly(socket: NetlinkSocket, body: bytes) -> None:
    try:
        socket.request(_DELETE, 0, body)
    except Refusal as refusal:
        if refusal.errno not in _GONE:
            raise


def _meant(found: dict[int, bytes], ports: list[Published]) -> bool:
    original, reply = _flow(found.get(_ORIGINAL, b"")), _flow(found.get(_REPLY, b""))
    return any(one.protocol == original.protocol and one.host_first <= original.port <= one.host_last
               and (not any(one.host) or one.host == original.target)
               and (reply.source == one.inside or one.protocol == _UDP) for one in ports)


def _flow(data: bytes) -> _Flow:
    found = attributes(data)
    ends, protocol = attributes(found.get(1, b"")), attributes(found.get(2, b""))
    (port,) = struct.unpack(">H", protocol.get(3, bytes(2)))
    source, target = ((1, 2) if 1 in ends else (3, 4))  # CTA_IP_V4_SRC …, CTA_IP_V6_SRC …
    return _Flow(ends.get(source, b""), ends.get(target, b""), protocol.get(1, bytes(1))[0], port)
