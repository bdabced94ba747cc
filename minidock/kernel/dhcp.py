"""Leases from a DHCP server by pyroute2's client, over a link in any namespace (RFC 2131).

    obtain    DISCOVER ──> OFFER ──(accepted?)──> REQUEST ──> ACK
    renew     REQUEST ──> ACK, or NAK: the address is lost            to the server that gave it, or to any
    release   RELEASE ──>                                             nobody answers

Each call is an event loop of its own, which ends with it; asyncio and the client cost 0.2 s and 20 MB, so whoever has
no such network does not import this. The client is told apart by an identifier of ours (option 61), not by its MAC.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, TypeVar

from pyroute2.dhcp import messages
from pyroute2.dhcp.client import AsyncDHCPClient, ClientConfig
from pyroute2.dhcp.enums.dhcp import Option
from pyroute2.dhcp.fsm import State
from pyroute2.dhcp.leases import Lease as ServersLease
from pyroute2.dhcp.messages import ReceivedDHCPMessage, SentDHCPMessage

from minidock.errors import MinidockError
from minidock.kernel import netns
from minidock.model.lease import FOREVER, Lease
from minidock.model.record import Record

_ASKED = (Option.SUBNET_MASK, Option.ROUTER, Option.NAME_SERVER, Option.DOMAIN_NAME, Option.LEASE_TIME,
          Option.RENEWAL_TIME, Option.REBINDING_TIME)
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENETDOWN)
_Result = TypeVar("_Result")
logging.getLogger("pyroute2").addHandler(logging.NullHandler())  # its warnings are no sentences for users


class Client(Record):
    """Who asks, and by which link."""

    netns: str
    device: str
    identifier: bytes
    host_name: str
    life: int = -1  # a pidfd: with that process the namespace goes, and nobody waits any longer


class Refused(Exception):
    """The server says that the address is not ours (any more)."""


def obtain(client: Client, wanted: str, accept: Callable[[Lease], None], seconds: float,
           late: Callable[[], None]) -> Lease | None:
    """A new lease, of the address `wanted` if the server likes; None if there was none within that time.

    `accept` sees each offer before it is taken; an error of it ends all, and nothing is taken. `late` is called after
    a second.
    """
    async def ask() -> Lease | None:
        asking = _Asking(client, wanted=wanted, accept=accept)
        async with asking:
            asyncio.get_running_loop().call_later(1, late)
            await asking.bootstrap()
            return await asking.answer(seconds)

    return _run(client, ask)


def renew(client: Client, lease: Lease, rebind: bool, seconds: float) -> Lease | None:
    """The lease prolonged, by its server or (`rebind`) by any; None if nobody answers; `Refused`."""
    async def ask() -> Lease | None:
        asking = _Asking(client, known=lease)
        async with asking:
            await asking.prolong(State.REBINDING if rebind else State.RENEWING)
            return await asking.answer(seconds)

    return _run(client, ask)


def release(client: Client, lease: Lease) -> None:
    """Tell the server that the address is not used any more."""
    async def tell() -> None:
        asking = _Asking(client, known=lease)
        async with asking:
            asking.config.release = True  # pyroute2's client says so when it leaves

    _run(client, tell)


def now() -> float:
    """The time in which leases count."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _run(client: Client, job: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result | None:
    """What comes of it; None if the link or its namespace goes: then nobody can answer."""
    try:
        with netns.inside(client.netns):
            return asyncio.run(job())
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None


class _Asking(AsyncDHCPClient):  # type: ignore[misc]  # pyroute2 has no types for us
    """pyroute2's client for one question: offers are looked at before they are taken, and the answer is waited for."""

    def __init__(self, client: Client, known: Lease | None = None, wanted: str = "",
                 accept: Callable[[Lease], None] = lambda lease: None) -> None:
        super().__init__(ClientConfig(
            interface=client.device, lease_type=_kept(known), requested_parameters=_ASKED, timeouts={},
            retransmission=_patience, release=False, client_id=client.identifier, handle_signals=False,
            vendor_id=None, host_name=client.host_name))
        self._wanted, self._accept, self._life = wanted, accept, client.life
        self._answer: asyncio.Future[Lease | None] = asyncio.get_running_loop().create_future()

    async def answer(self, seconds: float) -> Lease | None:
        """What came of it; None: nothing, for time is up, or the link or the one it was for is gone."""
        if self._life >= 0:
            asyncio.get_running_loop().add_reader(self._life, self._end)
        done, _ = await asyncio.wait((self._answer, self._receiver_task), timeout=seconds,
                                     return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer in done else None

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._life)
        if not self._answer.done():
            self._answer.set_result(None)

    async def prolong(self, to: State) -> None:
        """Ask for more time: to its server (RENEWING) or to all (REBINDING)."""
        self._state = State.BOUND  # which a client that has just come to know of its lease would have to prove first
        await self.transition(to, messages.request_for_lease(_ASKED, self.lease, to))

    async def transition(self, to: State, send: SentDHCPMessage | None = None) -> None:
        """On the way, the address that is wanted is put into the first question (option 50)."""
        if to is State.SELECTING and self._wanted and send:
            send.dhcp["options"]["requested_ip"] = self._wanted
        await super().transition(to, send)

    async def offer_received(self, msg: ReceivedDHCPMessage) -> None:
        """Take it, if it is acceptable; a server that does not say enough is as good as none."""
        offer = _lease(msg)
        if self.state is not State.SELECTING or offer is None:
            return
        try:
            self._accept(offer)
        except MinidockError as error:
            self._answer.set_exception(error)
            await self.transition(State.INIT)
        else:
            await super().offer_received(msg)

    async def ack_received(self, msg: ReceivedDHCPMessage) -> None:
        """It is ours."""
        lease = _lease(msg)
        if lease and not self._answer.done():
            await super().ack_received(msg)
            if self.state is State.BOUND:
                self._answer.set_result(lease)

    async def nak_received(self, msg: ReceivedDHCPMessage) -> None:
        """It is not ours: what had begun anew begins again; what was a lease is none any more."""
        if self.state in (State.RENEWING, State.REBINDING):
            self._answer.set_exception(Refused(msg.ip_src))
            await self.transition(State.INIT)
        else:
            await super().nak_received(msg)


def _patience() -> Iterator[float]:
    """Seconds before a question is asked again."""
    return itertools.chain((1.0, 2.0), itertools.repeat(4.0))


def _kept(known: Lease | None) -> type[ServersLease]:
    """pyroute2's lease, which is kept by us instead of in a file, and known from the start."""
    class Kept(ServersLease):  # type: ignore[misc]  # pyroute2 has no types for us
        def dump(self) -> None:
            """Nothing."""

        @classmethod
        def load(cls, interface: str) -> ServersLease | None:
            """The one we know."""
            if known is None:
                return None
            options = {"server_id": str(known.server), "lease_time": FOREVER}
            return cls({"yiaddr": str(known.interface.ip), "options": options}, interface, known.server_mac)

    return Kept


def _lease(msg: ReceivedDHCPMessage) -> Lease | None:
    """What an offer or an ACK says; None if the least is missing."""
    said = msg.dhcp["options"]
    try:
        interface = IPv4Interface(f"{msg.dhcp['yiaddr']}/{said['subnet_mask']}")
        server, seconds = IPv4Address(said["server_id"]), said["lease_time"]
        routers, names = ([IPv4Address(text) for text in said.get(key, ())] for key in ("router", "name_server"))
    except (KeyError, ValueError):
        return None
    renew, rebind = said.get("renewal_time", seconds // 2), said.get("rebinding_time", seconds * 7 // 8)
    return Lease(interface, server, msg.eth_src, routers[0] if routers else None, tuple(names),
                 _domain(said.get("domain_name")), now(), *_in_order(renew, rebind, seconds))


def _domain(text: object) -> str:
    """A domain that can be written into resolv.conf; "" for anything else a server may say."""
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", text) else ""


def _in_order(renew: int, rebind: int, seconds: int) -> tuple[int, int, int]:
    """T1 < T2 < the end, whatever the server says."""
    if seconds < 0:
        return FOREVER, FOREVER, FOREVER
    rebind = rebind if 0 < rebind <= seconds else seconds * 7 // 8
    return (renew if 0 < renew <= rebind else rebind // 2), rebind, seconds
