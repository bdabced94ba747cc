"""What a DHCP server gave an endpoint, and for how long (RFC 2131). Times are seconds of this boot."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from minidock.model.record import Record

FOREVER = -1  # RFC 2131 §3.3: all bits set


class Lease(Record):
    """An address on loan, with what the server said beside it."""

    interface: IPv4Interface
    server: IPv4Address
    server_mac: str  # or that of the router by which it answers
    router: IPv4Address | None
    name_servers: tuple[IPv4Address, ...]
    domain: str
    begun: float  # CLOCK_BOOTTIME: it goes on in a machine that sleeps
    renew_seconds: int  # T1, T2 and the end, after that (RFC 2131 §4.4.5); FOREVER
    rebind_seconds: int
    seconds: int

    @property
    def renew_at(self) -> float | None:
        """When its server is asked to prolong it; None: never."""
        return None if self.seconds == FOREVER else self.begun + self.renew_seconds

    @property
    def rebind_at(self) -> float:
        """When any server is asked."""
        return self.begun + self.rebind_seconds

    @property
    def ends_at(self) -> float:
        """When the address is another's."""
        return self.begun + self.seconds

    def next_attempt(self, now: float) -> float:
        """After an attempt that nobody answered: half of what is left, but not less than a minute (§4.4.5)."""
        limit = self.rebind_at if now < self.rebind_at else self.ends_at
        return min(now + max((limit - now) / 2, 60), limit) if now < limit else now

    @property
    def place(self) -> tuple[IPv4Interface, IPv4Address | None]:
        """Where it puts the container: another place means other addresses and routes in the kernel."""
        return self.interface, self.router

    @property
    def names(self) -> tuple[tuple[IPv4Address, ...], str]:
        """What it says about names."""
        return self.name_servers, self.domain
