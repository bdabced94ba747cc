"""Taps: raw AF_PACKET sockets that hear every frame of one device, in whatever namespace it lives (man 7 packet).

    tap = Tap("md-0123456789ab", "eth0")     the socket is opened inside the namespace and stays there
    ...                                      packets fly
    tap.heard()                              the frames so far, oldest first

A tap must exist before the packet. Frames are bytes; `dissected` shows one to scapy, which is imported only then.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable

from minidock.kernel import netns
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any, Self

_ALL = 0x0003  # ETH_P_ALL (linux/if_ether.h)
_LARGEST_FRAME = 65536 + 18  # a segment the kernel has not cut yet, and its Ethernet header with a VLAN tag
_BUFFER_BYTES = 4 << 20
_SOL_PACKET, _AUXDATA = 263, 8  # linux/socket.h; PACKET_AUXDATA of linux/if_packet.h
_TAGGED = 0x10  # TP_STATUS_VLAN_VALID
_TIMESTAMPNS = 35  # SO_TIMESTAMPNS, and the message it brings (asm-generic/socket.h)
_BESIDE_BYTES = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(16)


class Frame(Record):
    """One frame as the device saw it."""

    outgoing: bool  # sent by the device's own host, else received (by it, or by others through a bridge port)
    data: bytes
    nanoseconds: int = 0  # since 1970, when the kernel saw it


class Tap:
    """Hears a device; use it in a `with` statement, or close it."""

    def __init__(self, where: str, device: str) -> None:
        with netns.inside(where):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: silent until bound to the device
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self._socket.setblocking(False)
        self._socket.bind((device, _ALL))
        self._frames: list[Frame] = []

    def heard(self) -> list[Frame]:
        """All frames since the tap was opened."""
        while True:
            try:
                data, beside, _, address = self._socket.recvmsg(_LARGEST_FRAME, _BESIDE_BYTES)
            except BlockingIOError:
                return self._frames
            self._frames.append(Frame(address[2] == socket.PACKET_OUTGOING, _with_tag(data, beside), _time(beside)))

    def wait_for(self, wanted: Callable[[Any], object], seconds: float) -> Any:
        """The first frame, dissected, that is wanted; None if none came in time."""
        deadline, seen = time.monotonic() + seconds, 0
        while True:
            for frame in self.heard()[seen:]:
                seen += 1
                packet = dissected(frame)
                if wanted(packet):
                    return packet
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            select.select([self._socket], [], [], left)

    def fileno(self) -> int:
        """For select: readable when a frame waits."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop hearing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _with_tag(data: bytes, beside: list[tuple[int, int, bytes]]) -> bytes:
    """The frame as it is on a wire: the kernel keeps a VLAN tag beside it (struct tpacket_auxdata)."""
    for level, kind, extra in beside:
        if (level, kind) != (_SOL_PACKET, _AUXDATA):
            continue
        status, tag, protocol = struct.unpack("=I12xHH", extra)
        if status & _TAGGED:
            return data[:12] + struct.pack(">HH", protocol or 0x8100, tag) + data[12:]
    return data


def _time(beside: list[tuple[int, int, bytes]]) -> int:
    for level, kind, extra in beside:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("=qq", extra)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0


def dissected(frame: Frame) -> Any:
    """The frame as a scapy packet."""
    import scapy.layers.inet  # noqa: F401  teaches Ether what IPv4 is
    from scapy.layers.l2 import Ether

    return Ether(frame.data)
