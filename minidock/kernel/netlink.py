"""A thin netlink socket: one request, its own error with the kernel's words, and dumps.

pyroute2's high-level calls cost twenty times the kernel's own time; this socket sends bytes and reads every
message's own verdict. Requests are processed synchronously (net/netlink/af_netlink.c): when `send` returns, all
replies are queued, so silence after a request without NLM_F_ACK means success.
"""

from __future__ import annotations

import contextlib
import os
import struct
from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET, socket
from collections.abc import Iterator

from minidock.errors import KernelRefused

ROUTE, NETFILTER = 0, 12  # man 7 netlink: NETLINK_ROUTE, NETLINK_NETFILTER

REQUEST, ACK, ECHO, DUMP = 0x001, 0x004, 0x008, 0x300
REPLACE, EXCL, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800

_ERROR, _DONE = 2, 3
_SOL_NETLINK, _ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK, _STRICT_CHECK = 270, 1, 10, 11, 12
_SO_SNDBUF, _SO_RCVBUF, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 7, 8, 32, 33
_MSG_DONTWAIT = 0x40
_CAPPED, _ACK_TLVS = 0x100, 0x200  # flags of an error message: payload left out, attributes follow

_header = struct.Struct("=IHHII")
_attribute = struct.Struct("=HH")


class Refusal(OSError):
    """The kernel refused one message of a request: errno, its own words, the message's sequence number."""

    def __init__(self, code: int, words: str, sequence: int, offset: int = 0) -> None:
        super().__init__(code, words or os.strerror(code))
        self.sequence = sequence
        self.offset = offset

    def as_error(self, what: str, hint: str = "") -> KernelRefused:
        """The same refusal for a user: what was tried, the kernel's words, its errno."""
        error = KernelRefused("", hint, self.errno or 0)
        error.what = f"{what}: {self.strerror} [{error.name}]"
        return error


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded to four bytes."""
    return _attribute.pack(len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes packed in `data` from `start`, by kind (nesting flags taken off); the last of a kind wins."""
    found = {}
    while start + 4 <= len(data):
        length, kind = _attribute.unpack_from(data, start)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def message(kind: int, flags: int, body: bytes, sequence: int = 0) -> bytes:
    """A whole netlink message."""
    return _header.pack(len(body) + 16, kind, flags, sequence, 0) + body


class NetlinkSocket:
    """A socket bound to the network namespace it was opened in."""

    def __init__(self, protocol: int, wide: bool = False) -> None:
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
        for option in (_CAP_ACK, _EXT_ACK, _STRICT_CHECK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        if wide:
            self._widen()
        self._socket.bind((0, 0))
        self._sequence = 0

    def _widen(self) -> None:
        for forced, plain in ((_SO_SNDBUFFORCE, _SO_SNDBUF), (_SO_RCVBUFFORCE, _SO_RCVBUF)):
            try:
                self._socket.setsockopt(SOL_SOCKET, forced, 16 << 20)
            except PermissionError:  # in a user namespace: as much as the limits give
                self._socket.setsockopt(SOL_SOCKET, plain, 16 << 20)

    def join(self, *groups: int) -> None:
        """Hear of what these multicast groups are told; `drain` reads it."""
        for group in groups:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def next_sequence(self) -> int:
        """A number no other message of this socket has."""
        self._sequence += 1
        return self._sequence

    def request(self, kind: int, flags: int, body: bytes) -> None:
        """Send one request and wait for the kernel's yes; raises `Refusal` with its words."""
        sequence = self.next_sequence()
        self._socket.send(message(kind, flags | REQUEST | ACK, body, sequence))
        for _ in self._replies(sequence):
            pass

    def ask(self, kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
        """Send one request and return all (kind, body) the kernel answers: a dump, or one object."""
        sequence = self.next_sequence()
        self._socket.send(message(kind, flags | REQUEST | (0 if flags & DUMP else ACK), body, sequence))
        return list(self._replies(sequence))

    def exchange(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Send prepared messages and return every queued reply as (kind, sequence, body), errors included."""
        self._socket.send(data)
        return list(self.drain())

    def drain(self) -> Iterator[tuple[int, int, bytes]]:
        """Everything that is queued now, as (kind, sequence, body); never waits."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield from ((kind, seq, body) for kind, _, seq, body in self._read(_MSG_DONTWAIT))

    def _replies(self, sequence: int) -> Iterator[tuple[int, bytes]]:
        while True:
            for kind, flags, seq, body in self._read(0):
                if seq != sequence:
                    continue
                if kind == _ERROR:
                    refusal = refusal_in(body, flags, seq)
                    if refusal:
                        raise refusal
                    return
                if kind == _DONE:
                    return
                yield kind, body

    def _read(self, flags: int) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(1 << 18, flags)
        start = 0
        while start + 16 <= len(data):
            length, kind, message_flags, sequence, _ = _header.unpack_from(data, start)
            yield kind, message_flags, sequence, data[start + 16 : start + length]
            start += (length + 3) & ~3

    def fileno(self) -> int:
        """The file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close; waits for the kernel's clean-up when rules were deleted (spec: the RCU stall)."""
        self._socket.close()


def refusal_in(body: bytes, flags: int = _CAPPED | _ACK_TLVS, sequence: int = 0) -> Refusal | None:
    """The refusal an NLMSG_ERROR carries, or None when it is an acknowledgement."""
    (code,) = struct.unpack_from("=i", body)
    if code == 0:
        return None
    words, offset = "", 0
    if flags & _ACK_TLVS:
        start = 20 if flags & _CAPPED else 4 + struct.unpack_from("=I", body, 4)[0]
        found = attributes(body, start)
        words = found.get(1, b"").rstrip(b"\0").decode(errors="replace")
        offset = int.from_bytes(found.get(2, b"\0"), "little")
    return Refusal(-code, words, sequence, offset)
