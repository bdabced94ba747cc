"""Relaying datagrams: each client gets a socket of ours, so that the target's answers find their way back.

A client is forgotten after 90 s of silence, as docker-proxy does. The answer leaves from the address that the client
had asked, which on a host with several is not always the one that the kernel would choose (RFC 3542 §4.2).
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, CMSG_SPACE, IPPROTO_IPV6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket
from collections.abc import Hashable

from minidock.dns.loop import Loop
from minidock.dns.relay import give_back
from minidock.kernel import portsockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDLE_SECONDS = 90.0
MAX_CLIENTS = 1024  # of one port; the one silent longest makes room
DATAGRAMS_AT_ONCE = 64  # then it is the others' turn
_BYTES = 65535
_IPV6_RECVPKTINFO, _IPV6_PKTINFO = 49, 50
_ADDRESS_BYTES = 16  # struct in6_pktinfo: the address, and the device


class Client:
    """One who sends to the relay, and its socket to the target."""

    __slots__ = ("address", "asked", "socket")

    def __init__(self, address: Any, asked: list[tuple[int, int, bytes]], target: tuple[str, int]) -> None:
        self.address = address
        self.asked = asked  # the address it sent to, as ancillary data
        self.socket = socket(AF_INET6 if ":" in target[0] else AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
        self.socket.connect(target)


class UdpRelay:
    """One socket; what comes is led to the target, what that answers back."""

    def __init__(self, loop: Loop, held: socket, target: tuple[str, int], idle_seconds: float = IDLE_SECONDS) -> None:
        self._loop = loop
        self._held = held
        self._target = target
        self._patience = loop.patience_of(idle_seconds)
        self._clients: dict[Hashable, Client] = {}  # who was silent longest first
        held.setblocking(False)
        if held.family == AF_INET6:
            held.setsockopt(IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        portsockets.let_hear(held)
        loop.watch(held, self._asked)

    def close(self) -> None:
        """Forget all clients."""
        self._loop.forget(self._held)
        for address in tuple(self._clients):
            self._forget(address)
        give_back(self._held)

    def _asked(self) -> None:
        """Lead on what is there."""
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                text, ancillary, _, address = self._held.recvmsg(_BYTES, CMSG_SPACE(20))
            except OSError:
                return
            try:
                self._client(address, ancillary).socket.send(text)
            except OSError:
                continue  # nobody listens there, no room, no descriptor: datagrams may get lost

    def _client(self, address: Any, ancillary: list[tuple[int, int, bytes]]) -> Client:
        """Who sends from there, with its time of silence begun anew."""
        client = self._clients.pop(address, None)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                self._forget(next(iter(self._clients)))
            client = Client(address, _asked(ancillary), self._target)
            self._loop.watch(client.socket, lambda: self._answered(client))
        self._clients[address] = client
        self._patience.start(client, lambda: self._forget(address))
        return client

    def _answered(self, client: Client) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                text = client.socket.recv(_BYTES)
            except ConnectionRefusedError:
                continue  # nobody listens at the target, or not yet
            except OSError:
                return
            self._patience.start(client, lambda: self._forget(client.address))
            try:
                self._held.sendmsg([text], client.asked, 0, client.address)
            except OSError:
                continue

    def _forget(self, address: Hashable) -> None:
        client = self._clients.pop(address)
        self._patience.stop(client)
        self._loop.forget(client.socket)
        client.socket.close()


def _asked(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """The address to answer from; the device only if the address means nothing without (fe80::/10)."""
    return [(level, kind, text if text[:2] == b"\xfe\x80" else text[:_ADDRESS_BYTES] + bytes(4))
            for level, kind, text in ancillary if (level, kind) == (IPPROTO_IPV6, _IPV6_PKTINFO)]
