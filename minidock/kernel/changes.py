"""Waiting until the kernel's state changes, by its own word: netlink's multicast groups, in all named namespaces.

Those that come and go are seen as mounts. No event tells of a setting in /proc/sys or of a process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
import time

from minidock.errors import Unsupported
from minidock.kernel import netns
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import NetlinkSocket

# RTNLGRP_*, linux/rtnetlink.h: link, neighbour, traffic control; address, route and rule; settings of devices
_ROUTE_GROUPS = (1, 3, 4, 5, 7, 8, 9, 11, 19, 24, 25)
_NFTABLES = 7  # NFNLGRP_NFTABLES, linux/netfilter/nfnetlink.h
_NEWNEIGH, _LASTING = 28, 0x80 | 0x40  # NUD_PERMANENT, NUD_NOARP
_QUIET_SECONDS, _BURST_SECONDS = 0.15, 1.0


class Changes:
    """All that changes from now on, on the host we stand on; close it, or its sockets keep the namespaces alive."""

    def __init__(self) -> None:
        self._mounts = os.open("/proc/thread-self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._kernel = Kernel()
        self._sockets: dict[int, NetlinkSocket] = {}
        self._listen()

    def close(self) -> None:
        """Listen no more."""
        self._kernel.close()
        os.close(self._mounts)

    def wait(self, seconds: float, *keyboard: int) -> bool:
        """Has anything changed within the time, or before a key? A burst of changes is one, told when it is over."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            ready = self._ready(left, *keyboard)
            if ready.intersection(keyboard):
                return False
            if self._read(ready):
                self._settle()
                return True
        return False

    def _settle(self) -> None:
        ends = time.monotonic() + _BURST_SECONDS
        while (ready := self._ready(_QUIET_SECONDS)) and time.monotonic() < ends:
            self._read(ready)

    def _listen(self) -> None:
        """Open a socket of each kind in each namespace."""
        self._kernel.close()
        self._sockets = {}
        names = os.listdir(netns.DIRECTORY) if os.path.exists(netns.DIRECTORY) else []
        for where in ("", *names):
            with contextlib.suppress(FileNotFoundError, Unsupported):  # it is gone; it has no firewall
                self._join(self._kernel.route(where), *_ROUTE_GROUPS)
                self._join(self._kernel.netfilter(where), _NFTABLES)

    def _join(self, socket: NetlinkSocket, *groups: int) -> None:
        socket.join(*groups)
        self._sockets[socket.fileno()] = socket

    def _ready(self, seconds: float, *others: int) -> set[int]:
        """Which descriptors have something to tell."""
        poll = select.poll()
        for number in (*self._sockets, *others):
            poll.register(number, select.POLLIN)
        poll.register(self._mounts, select.POLLPRI)  # man 5 proc, /proc/pid/mounts
        return {number for number, _ in poll.poll(seconds * 1000)}

    def _read(self, ready: set[int]) -> bool:
        """Was it a change?"""
        told = [_change(self._sockets[number]) for number in ready & self._sockets.keys()]
        if self._mounts in ready:
            self._listen()
        return self._mounts in ready or any(told)


def _change(socket: NetlinkSocket) -> bool:
    """Read all it has heard: anything but neighbours that were asked for, or heard of?"""
    try:
        heard = list(socket.drain())
    except OSError as error:
        if error.errno != errno.ENOBUFS:  # more than it could keep
            raise
        return True
    return any(kind != _NEWNEIGH or _lasts(body) for kind, _, body in heard)


def _lasts(neighbour: bytes) -> bool:
    """Was it put there by somebody?"""
    state: int = struct.unpack_from("=BxxxiH", neighbour)[2]  # struct ndmsg, linux/neighbour.h
    return bool(state & _LASTING)
