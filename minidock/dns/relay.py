"""Ports of the host whose traffic the kernel cannot translate: IPv6 on the host, IPv4 in the container, and [::1].

    client --> [::]:8080, a socket that the container's monitor holds --> this process --> 172.17.0.2:80

The socket is borrowed from the monitor (man 2 pidfd_getfd), so whoever kills us loses nothing but what was under way:
meanwhile the kernel queues the new, and the next of us takes them. Held but not served, it drops all that comes
(kernel/portsockets.py); so it does before we borrow it, and after the row is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from _socket import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET, inet_pton, socket
from collections.abc import Collection, Iterator

from minidock.dns.loop import Loop
from minidock.dns.service import pidfd_of
from minidock.dns.tables import Relay
from minidock.kernel import portsockets, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minidock.dns.relay_tcp import TcpRelay
    from minidock.dns.relay_udp import UdpRelay

_PROTOS = {IPPROTO_TCP: "tcp", IPPROTO_UDP: "udp"}
_SO_PROTOCOL = 38
Place = tuple[str, bytes, int]  # protocol, the host's address, port


class Relays:
    """Serves each row whose socket can be had; the others are tried again at each `retry`."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._wanted: set[Relay] = set()
        self._open: dict[Relay, TcpRelay | UdpRelay] = {}
        self._monitors: dict[tuple[int, int], int] = {}  # pid and start, its pidfd: their sockets die with them
        self._complained: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return len(self._wanted)

    def replace(self, containers: Collection[str], rows: Collection[Relay]) -> None:
        """These are the containers' rows now."""
        gone = {row for row in self._wanted if row.container in containers} - set(rows)
        self._wanted = self._wanted - gone | set(rows)
        for row in gone & self._open.keys():
            self._open.pop(row).close()
        for monitor in self._monitors.keys() - {_monitor(row) for row in self._wanted}:
            self._leave(monitor)
        self.retry()

    def retry(self) -> None:
        """Serve what is not served yet."""
        missing = self._wanted - self._open.keys()
        for monitor in {_monitor(row) for row in missing}:
            try:
                self._serve(monitor, {_place(row): row for row in missing if _monitor(row) == monitor})
            except ProcessLookupError:  # it has ended; its rows will go
                continue
            except OSError as error:
                self._complain(monitor, error)

    def _complain(self, monitor: tuple[int, int], error: OSError) -> None:
        """Once of each, however often it is tried."""
        if monitor not in self._complained:
            self._complained.add(monitor)
            print(f"cannot relay with the sockets of process {monitor[0]}: {error}", file=sys.stderr, flush=True)

    def _serve(self, monitor: tuple[int, int], rows: dict[Place, Relay]) -> None:
        if monitor not in self._monitors:
            pidfd = self._monitors[monitor] = pidfd_of(*monitor)
            self._loop.watch(pidfd, lambda: self._ended(monitor))
        for place, found in _sockets(monitor[0], self._monitors[monitor]):
            row = rows.pop(place, None)
            if row is None:
                found.close()
            else:
                self._open[row] = self._relay(row, found)

    def _relay(self, row: Relay, found: socket) -> TcpRelay | UdpRelay:
        if row.proto == "tcp":
            from minidock.dns.relay_tcp import TcpRelay

            return TcpRelay(self._loop, found, (row.target, row.target_port))
        from minidock.dns.relay_udp import UdpRelay

        return UdpRelay(self._loop, found, (row.target, row.target_port))

    def _ended(self, monitor: tuple[int, int]) -> None:
        """Its ports are to be free: our duplicates would hold them."""
        for row in [row for row in self._open if _monitor(row) == monitor]:
            self._open.pop(row).close()
        self._leave(monitor)

    def _leave(self, monitor: tuple[int, int]) -> None:
        pidfd = self._monitors.pop(monitor)
        self._loop.forget(pidfd)
        os.close(pidfd)


def _monitor(row: Relay) -> tuple[int, int]:
    return row.monitor, row.monitor_started


def _place(row: Relay) -> Place:
    return row.proto, _packed(row.ip), row.port


def _packed(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])


def _sockets(pid: int, pidfd: int) -> Iterator[tuple[Place, socket]]:
    """Duplicates of the process's sockets of TCP and UDP, and where they are bound; yours to close."""
    for number in _socket_numbers(pid):
        try:
            found = socket(fileno=syscalls.pidfd_getfd(pidfd, number))
        except OSError as error:
            if isinstance(error, PermissionError):
                raise
            continue  # it was closed meanwhile
        proto = _PROTOS.get(found.getsockopt(SOL_SOCKET, _SO_PROTOCOL))
        if proto and found.family in (AF_INET, AF_INET6):
            address, port = found.getsockname()[:2]
            yield (proto, _packed(address), port), found
        else:
            found.close()


def _socket_numbers(pid: int) -> list[int]:
    """Which of a process's descriptors are sockets."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                found.append(int(name))
    return found


def give_back(held: socket) -> None:
    """Serve it no more; it may live on with its monitor."""
    portsockets.deafen(held)
    held.close()
