"""Connection tracking over netlink (linux/netfilter/nfnetlink_conntrack.h): forgetting flows."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from minidock.kernel.netlink import DUMP, NetlinkSocket, Refusal, attribute, attributes
from minidock.model.record import Record

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*
_HEADER = bytes((2, 0, 0, 0))  # struct nfgenmsg: AF_INET
_ORIGINAL, _REPLY, _ZONE = 1, 2, 18  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ZONE
_NESTED = 0x8000
_UDP = 17
_GONE = (errno.ENOENT, errno.EINVAL)  # somebody was faster; a kernel without this subsystem


class _Flow(Record):
    """One direction of a flow."""

    source: bytes
    target: bytes
    protocol: int
    port: int  # the destination's


def forget(socket: NetlinkSocket, address: bytes, udp: Iterable[tuple[bytes, int, int]] = ()) -> int:
    """Delete the flows that an address began or answers, and UDP flows to these (host address, first, last port).

    How many there were. A flow in another network namespace is not seen.
    """
    places = tuple(udp)
    doomed = [found for found in _all(socket) if _meant(found, address, places)]
    for found in doomed:
        body = _HEADER + attribute(_ORIGINAL | _NESTED, found[_ORIGINAL])
        _quietly(socket, body + (attribute(_ZONE, found[_ZONE]) if _ZONE in found else b""))
    return len(doomed)


def _all(socket: NetlinkSocket) -> list[dict[int, bytes]]:
    try:
        return [attributes(body, 4) for _, body in socket.ask(_GET, DUMP, _HEADER)]
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


def _meant(found: dict[int, bytes], address: bytes, places: tuple[tuple[bytes, int, int], ...]) -> bool:
    original, reply = _flow(found.get(_ORIGINAL, b"")), _flow(found.get(_REPLY, b""))
    return address in (original.source, reply.source) or (original.protocol == _UDP and any(
        first <= original.port <= last and host in (bytes(4), original.target) for host, first, last in places))


def _flow(data: bytes) -> _Flow:
    found = attributes(data)
    ends, protocol = attributes(found.get(1, b"")), attributes(found.get(2, b""))
    (port,) = struct.unpack(">H", protocol.get(3, bytes(2)))
    return _Flow(ends.get(1, b""), ends.get(2, b""), protocol.get(1, bytes(1))[0], port)
