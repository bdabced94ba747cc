"""Use case: addresses that a DHCP server of the LAN lends to containers (`net create --ipam-driver dhcp`).

    lend      the link is laid; asked over it; the offer is written down, then taken; the address is laid
    renew     at T1, T2 and the end: what the helper process executes      minidock system renew CONTAINER NETWORK
    release   before the link goes; nobody waits for an answer

The lease is part of the endpoint. One that is lost takes the address with it, and another one is asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator

from minidock.app import events, leasing, settling
from minidock.app.context import App
from minidock.drivers import DRIVERS
from minidock.errors import Conflict, MinidockError, PoolExhausted
from minidock.kernel import dhcp
from minidock.model.container import Container, Run
from minidock.model.lease import Lease
from minidock.model.network import Endpoint, Facts, Network
from minidock.model.record import Record
from minidock.sandbox.liveness import pidfd_of

WAIT_SECONDS = 10.0  # dnsmasq looks for three whether anybody has the address, before it offers it
_RENEW_SECONDS = 4.0
_AGAIN_SECONDS = 30.0  # between two questions for a new lease, after one was lost


def lend(app: App, container: Container, network: Network, end: Endpoint, facts: Facts) -> Endpoint:
    """The endpoint, whose link is there, with an address; in its row too. In a rehearsal nobody is asked."""
    _tell_question(app, end)
    if app.dry:
        return end

    def note(offer: Lease) -> None:
        with app.state.running.transaction():
            app.state.runs.rewrite(end.but(lease=offer))

    lease = _obtained(app, container, network, end, note)
    if lease is None:
        raise PoolExhausted(f"no DHCP server on parent interface {network.parent} has lent container {container.name}"
                            f" an address of network {network.name} within {WAIT_SECONDS:.0f} s",
                            f"is there one, and has it any left? watch them: tcpdump -ni {network.parent} port 67")
    lent = end.leased(lease)
    with app.state.running.transaction():
        app.state.runs.rewrite(lent)
        app.state.leases.lent(container.id, network.id, lease)
    app.engine.amend(end.scope, DRIVERS[network.driver].endpoint(network, lent, facts))
    return lent


def _tell_question(app: App, end: Endpoint) -> None:
    """The question as a command a person could type."""
    words = ("ip", "netns", "exec", end.netns, "udhcpc", "-n", "-q", "-i", end.guest_ifname)
    app.story.tell_process(end.scope, (*words, *(("-r", end.attachment.ip) if end.attachment.ip else ())),
                           "asks for a lease, and goes", "minidock asks itself: the address comes from the DHCP server."
                           if not app.dry else
                           "The address comes from the DHCP server, which nobody asks in a rehearsal.")


def _obtained(app: App, container: Container, network: Network, end: Endpoint, note: Callable[[Lease], None],
              life: int = -1) -> Lease | None:
    """A new lease: of the address asked for, else of that it had, else of any; `note` is told before it is taken."""
    def accept(offer: Lease) -> None:
        _check(app, network, end, offer)
        note(offer)

    def late() -> None:
        if sys.stderr.isatty():
            print(f"minidock: waiting for a DHCP server on {network.parent} (network {network.name})", file=sys.stderr)

    wanted = end.attachment.ip or app.state.leases.last(container.id, network.id)
    return dhcp.obtain(_client(container, end, life), wanted, accept, WAIT_SECONDS, late)


def _client(container: Container, end: Endpoint, life: int = -1) -> dhcp.Client:
    """The same one at each start, so that the server knows it again: the container and the network.

    Who serves names on the LAN learns the host name that was given, or the container's name.
    """
    own_name = container.name if container.hostname == container.short else container.hostname
    return dhcp.Client(end.netns, end.guest_ifname, _identifier(end), own_name, life)


def _identifier(end: Endpoint) -> bytes:
    return bytes.fromhex(end.container[:12] + end.network[:12])


def _check(app: App, network: Network, end: Endpoint, offer: Lease) -> None:
    """Whether an offer can be taken."""
    address, wanted = offer.interface.ip, end.attachment.ip
    if wanted and str(address) != wanted:
        raise Conflict(f"DHCP server {offer.server} on parent interface {network.parent} does not lend {wanted}, it"
                       f" offers {address}", "leave out --ip, or reserve the address on that server:"
                       f" --mac-address tells it whom for (now {end.guest_mac})")
    holder = app.state.runs.leased(network.id).get(int(address), end.container)
    if holder != end.container:
        raise Conflict(f"DHCP server {offer.server} on parent interface {network.parent} offers {address}, which"
                       f" container {leasing.name_of(app, holder)} has: it has forgotten its leases",
                       f"restart that one, so that it asks too: minidock restart {leasing.name_of(app, holder)}")


def release(app: App, ends: Iterable[Endpoint]) -> None:
    """Give back what was lent to these endpoints, as far as that can be done; their links go next."""
    for end in ends:
        if end.lease and app.state.journal.is_built(f"container/{end.container[:12]}"):
            with contextlib.suppress(OSError, MinidockError):
                _lay_again(app, end)
                dhcp.release(dhcp.Client(end.netns, end.guest_ifname, _identifier(end), ""), end.lease)


def _lay_again(app: App, end: Endpoint) -> None:
    """The link, if it went with a failure after the address was lent."""
    network = app.state.networks.get(end.network)
    if network and not app.state.journal.has(end.scope):
        bare = DRIVERS[network.driver].endpoint(network, end.leased(None), app.endpoint_facts(network))
        app.engine.build(end.scope, bare)


class _Borrower(Record):
    """A running container's endpoint on such a network, as its rows say now."""

    container: Container
    network: Network
    run: Run
    end: Endpoint


def _borrower(app: App, container_id: str, network_id: str) -> _Borrower | None:
    container, network = app.state.containers.get(container_id), app.state.networks.get(network_id)
    run = app.state.runs.of(container_id)
    ends = [end for end in app.state.runs.in_state(container_id, "up") if end.network == network_id]
    if not (container and network and run and run.state == "running" and ends):
        return None
    return _Borrower(container, network, run, ends[0])


def renew(app: App, container_id: str, network_id: str) -> None:
    """Ask for what is due: more time, or after a loss a new lease."""
    found = _borrower(app, container_id, network_id)
    life = pidfd_of(found.run.pid, found.run.pid_started) if found else None
    if found is None or life is None:
        return
    try:
        (_prolong if found.end.address else _begin_anew)(app, found, life)
    finally:
        os.close(life)


def _prolong(app: App, asking: _Borrower, life: int) -> None:
    lease = asking.end.lease
    assert lease is not None  # it has an address
    now = dhcp.now()
    try:
        longer = dhcp.renew(_client(asking.container, asking.end, life), lease, now >= lease.rebind_at,
                            _RENEW_SECONDS) if now < lease.ends_at else None
    except dhcp.Refused:
        _change(app, asking, None)
        return
    if longer:
        _change(app, asking, longer)
    elif now >= lease.ends_at:
        _change(app, asking, None)
    else:
        app.state.leases.wait(asking.container.id, asking.network.id, lease.next_attempt(now))


def _begin_anew(app: App, asking: _Borrower, life: int) -> None:
    def note(offer: Lease) -> None:
        with _held(app, asking) as now, app.state.running.transaction():
            if now:
                app.state.runs.rewrite(now.end.but(lease=offer))

    lease = None
    try:
        lease = _obtained(app, asking.container, asking.network, asking.end, note, life)
    finally:
        if lease is None:
            app.state.leases.wait(asking.container.id, asking.network.id, dhcp.now() + _AGAIN_SECONDS)
    if lease:
        _change(app, asking, lease)


@contextlib.contextmanager
def _held(app: App, asking: _Borrower) -> Iterator[_Borrower | None]:
    """As it is now, and stays while we look; None if it is another one, or gone."""
    with app.state.container_lock(asking.container.id):
        now = _borrower(app, asking.container.id, asking.network.id)
        yield now if now and now.end.id == asking.end.id else None


def _change(app: App, asking: _Borrower, lease: Lease | None) -> None:
    """The endpoint has this lease, or none any more."""
    with _held(app, asking) as now, app.state.attaching([asking.network]):
        if now is None:
            return
        old = now.end.lease if now.end.address else None
        if lease and old and lease.place == old.place:
            _go_on(app, now, lease, lease.names == old.names)
            return
        if old:
            _lose(app, now)
        if lease:
            _gain(app, now, lease)


def _go_on(app: App, now: _Borrower, lease: Lease, same_names: bool) -> None:
    """The address stays; in the kernel nothing changes."""
    with app.state.running.transaction():
        app.state.runs.rewrite(now.end.leased(lease))
        app.state.leases.lent(now.container.id, now.network.id, lease)
        if not same_names:
            app.state.runs.unsettle(now.container.id)
    if not same_names:
        settling.settle(app, now.container, now.run)


def _lose(app: App, now: _Borrower) -> None:
    address = str(now.end.address)
    with app.state.running.transaction():
        app.state.runs.rewrite(now.end.leased(None))
        app.state.runs.unsettle(now.container.id)
        app.state.leases.wait(now.container.id, now.network.id, dhcp.now())
    settling.settle(app, now.container, now.run)
    _tell(app, now, "lease-lost", address)


def _gain(app: App, now: _Borrower, lease: Lease) -> None:
    with app.state.running.transaction():
        app.state.runs.rewrite(now.end.leased(lease))
        app.state.runs.unsettle(now.container.id)
        app.state.leases.lent(now.container.id, now.network.id, lease)
    settling.settle(app, now.container, now.run)
    _tell(app, now, "lease", str(lease.interface))


def _tell(app: App, now: _Borrower, action: str, address: str) -> None:
    events.network(app, action, now.network, container=now.container.id, address=address)
    print(f"{action}: {address}, container {now.container.name}, network {now.network.name}", file=sys.stderr)


