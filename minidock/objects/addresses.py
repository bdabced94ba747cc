"""Addresses, routes and sysctls: Address, Route, Sysctl."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from minidock.kernel import procsys, rtnl
from minidock.kernel.handle import ROUTE_PROTOCOL, Kernel
from minidock.kernel.netlink import CREATE, DUMP, EXCL, Refusal, attributes
from minidock.objects.base import KernelObject, ip
from minidock.objects.links import find

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

GONE = (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)


def _forgive(refusal: Refusal) -> None:
    if refusal.errno not in GONE:
        raise refusal


class Address(KernelObject):
    """An address on a link, with the on-link route that comes and goes with it."""

    netns: str
    dev: str
    interface: IPv4Interface | IPv6Interface

    @property
    def home(self) -> str:
        return self.netns

    def create(self, kernel: Kernel) -> None:
        body = rtnl.address(kernel.index(self.netns, self.dev), self.interface)
        kernel.route(self.netns).request(rtnl.NEWADDR, CREATE | EXCL, body)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, self.netns, self.dev)
        if link:
            try:
                kernel.route(self.netns).request(rtnl.DELADDR, 0, rtnl.address(link.index, self.interface))
            except Refusal as refusal:
                _forgive(refusal)

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.dev)
        return bool(link) and (link.index, self.interface.ip) in self._present(kernel)  # type: ignore[union-attr]

    def _present(self, kernel: Kernel) -> set[tuple[int, object]]:
        answers = kernel.route(self.netns).ask(rtnl.GETADDR, DUMP, rtnl.all_addresses(self.interface.version))
        kind = IPv4Address if self.interface.version == 4 else IPv6Address
        return {(int.from_bytes(body[4:8], "little"), kind(attributes(body, 8)[1 if kind is IPv6Address else 2]))
                for _, body in answers}

    def shell(self) -> tuple[str, ...]:
        extra = " brd +" if self.interface.version == 4 and self.interface.network.prefixlen < 31 else ""
        extra = " nodad" if self.interface.version == 6 else extra
        return (ip(self.netns, f"addr add {self.interface}{extra} dev {self.dev}"),)

    def shell_undo(self) -> tuple[str, ...]:
        """An interface that was taken down has lost its IPv6 addresses (keep_addr_on_down, ip-sysctl.rst)."""
        gone = " 2>/dev/null || true" if self.interface.version == 6 else ""
        return (ip(self.netns, f"addr del {self.interface} dev {self.dev}{gone}"),)


class Route(KernelObject):
    """A route in a namespace's main table."""

    netns: str
    dev: str
    destination: IPv4Network | IPv6Network
    via: IPv4Address | IPv6Address | None = None
    source: IPv4Address | IPv6Address | None = None

    @property
    def home(self) -> str:
        return self.netns

    def _body(self, index: int) -> bytes:
        return rtnl.route(self.destination, self.via, index, ROUTE_PROTOCOL)

    def create(self, kernel: Kernel) -> None:
        index, socket = kernel.index(self.netns, self.dev), kernel.route(self.netns)
        try:
            body = rtnl.route(self.destination, self.via, index, ROUTE_PROTOCOL, self.source)
            socket.request(rtnl.NEWROUTE, CREATE | EXCL, body)
        except Refusal as refusal:
            if self.source is None or refusal.errno != errno.EINVAL:
                raise
            socket.request(rtnl.NEWROUTE, CREATE | EXCL, self._body(index))  # an address that has gone since

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        link = find(kernel, self.netns, self.dev)
        if link:
            try:
                kernel.route(self.netns).request(rtnl.DELROUTE, 0, self._body(link.index))
            except Refusal as refusal:
                _forgive(refusal)

    def exists(self, kernel: Kernel) -> bool:
        link = find(kernel, self.netns, self.dev)
        if not link:
            return False
        answers = kernel.route(self.netns).ask(rtnl.GETROUTE, DUMP, rtnl.all_routes(self.destination.version))
        return any(self._matches(body, link.index) for _, body in answers)

    def _matches(self, body: bytes, index: int) -> bool:
        found = attributes(body, 12)
        via = self.via.packed if self.via else None
        return (body[1] == self.destination.prefixlen and body[5] == ROUTE_PROTOCOL and found.get(5) == via
                and found.get(1, self.destination.network_address.packed) == self.destination.network_address.packed
                and int.from_bytes(found.get(4, b""), "little") == index)

    def _words(self) -> str:
        target = str(self.destination) if self.destination.prefixlen else "default"
        via = f" via {self.via}" if self.via else ""
        source = f" src {self.source}" if self.source else ""
        return f"{target}{via} dev {self.dev} proto {ROUTE_PROTOCOL}{source}"

    def _ip(self, words: str) -> str:
        return ip(self.netns, f"-6 {words}" if self.destination.version == 6 else words)

    def shell(self) -> tuple[str, ...]:
        return (self._ip(f"route add {self._words()}"),)

    def shell_undo(self) -> tuple[str, ...]:
        return (self._ip(f"route del {self._words()}"),)


class Sysctl(KernelObject):
    """A kernel setting; one in the host's namespace remembers what it was, and is put back only if still ours."""

    netns: str
    key: str
    value: str
    was: str = ""

    @property
    def home(self) -> str:
        return self.netns

    def create(self, kernel: Kernel) -> None:
        procsys.write(self.key, self.value, self.netns)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        if self.was and self.exists(kernel):
            procsys.write(self.key, self.was, self.netns)

    def exists(self, kernel: Kernel) -> bool:
        try:
            return procsys.read(self.key, self.netns) == self.value
        except FileNotFoundError:
            return False

    def _command(self, value: str) -> str:
        inside = f"ip netns exec {self.netns} " if self.netns else ""
        words = f"'{self.key}={value}'" if " " in value else f"{self.key}={value}"
        return f"{inside}sysctl -qw {words}"

    def shell(self) -> tuple[str, ...]:
        return (self._command(self.value),)

    def shell_undo(self) -> tuple[str, ...]:
        return (self._command(self.was),) if self.was else ()
