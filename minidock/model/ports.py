"""Published ports: what `-p` says and which bindings it asks for. Pure.

    parse      "-p 127.0.0.1:8080:80/udp"  ->  PortSpec      what the user wrote
    resolve    + the network's defaults    ->  Wanted        one for each host address
    choose     + what is taken             ->  PortBinding   host ports chosen, nobody else's (portpool.py)

The rules are Docker's (docker-behaviour.md §2.3; go-connections nat, moby bridge port_mapping_linux.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from minidock.errors import BadRequest
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Place: TypeAlias = tuple[str, Address, int]  # protocol, host address, host port

PROTOCOLS = ("tcp", "udp", "sctp")
RELAYED = ("tcp", "udp")  # what a relay can carry
_ANY4, _ANY6 = IPv4Address("0.0.0.0"), IPv6Address("::")
_FORMS = "the forms are 80, 8080:80, 8080:80/udp, 127.0.0.1:8080:80, 8000-8009:80-89"


class ContainerPort(Record):
    """A port of a container: `80/tcp`."""

    port: int
    proto: str = "tcp"

    def __str__(self) -> str:
        return f"{self.port}/{self.proto}"


class PortSpec(Record):
    """One `-p`: a port of the container, or a range, and where on the host it shall be reachable.

    Host ports 0-0 leave the choice to us; a host range for one container port means: the first free one of it;
    otherwise both ranges have the same length and map 1:1.
    """

    host_ip: Address | None  # None: the network's default
    host_first: int
    host_last: int
    first: int
    last: int
    proto: str = "tcp"

    def __str__(self) -> str:
        ip = "" if self.host_ip is None else f"{bracketed(self.host_ip)}:"
        host = f"{span(self.host_first, self.host_last)}:" if self.host_first else ":" if ip else ""
        return f"{ip}{host}{span(self.first, self.last)}/{self.proto}"

    @property
    def ports(self) -> Iterator[ContainerPort]:
        """Each port of the container."""
        return (ContainerPort(port, self.proto) for port in range(self.first, self.last + 1))


class Wanted(Record):
    """One binding to be made: `count` ports of the container from `port` on, at a host address."""

    proto: str
    host_ip: Address
    host_first: int
    host_last: int
    ip: Address  # the container's
    port: int
    count: int

    @property
    def automatic(self) -> bool:
        """Is the host port ours to choose?"""
        return self.host_first == 0 or self.host_last - self.host_first >= self.count

    @property
    def order(self) -> tuple[object, ...]:
        """Docker's order of allocation: exact host ports first, those that differ only in host address together."""
        return (self.automatic, self.port, PROTOCOLS.index(self.proto), self.host_first, self.host_last, self.count,
                self.host_ip.version, self.host_ip)


class PortBinding(Record):
    """A published port, or `count` consecutive ones mapped 1:1."""

    proto: str
    host_ip: Address
    host_port: int
    ip: Address  # the container's
    port: int
    count: int = 1
    carried: bool = False  # the helper process carries it: all of it (`relayed`), or what comes to ::1

    @property
    def relayed(self) -> bool:
        """Does no rule lead from the host's address to the container's: it is of the other family, or ::1?"""
        return self.host_ip.version != self.ip.version or (self.carried and int(self.host_ip) == 1)

    @property
    def host_last(self) -> int:
        """The last host port."""
        return self.host_port + self.count - 1

    @property
    def last(self) -> int:
        """The last port of the container."""
        return self.port + self.count - 1

    @property
    def each(self) -> Iterator[PortBinding]:
        """The same, port by port."""
        return (self.but(host_port=self.host_port + step, port=self.port + step, count=1)
                for step in range(self.count))

    @property
    def places(self) -> Iterator[Place]:
        """Every host port it holds."""
        return ((self.proto, self.host_ip, port) for port in range(self.host_port, self.host_last + 1))


def bracketed(ip: Address) -> str:
    """An address before a colon: IPv6 in brackets."""
    return f"[{ip}]" if ip.version == 6 else str(ip)


def span(first: int, last: int) -> str:
    """80 or 80-89."""
    return str(first) if first == last else f"{first}-{last}"


def parse(text: str) -> PortSpec:
    """The meaning of one `-p`, in Docker's words if it has none."""
    short = _from_csv(text) if "=" in text else text
    ip, host, container = ["", "", *short.rsplit(":", 2)][-3:]
    ports, proto = _protocol(container, short)
    address = _address(ip)
    first, last = _range(ports, "containerPort")
    if first == 0:
        raise BadRequest(f'invalid port specification: "{ports}/{proto}"',
                         "a container's ports are 1 to 65535")
    host_first, host_last = _range(host, "hostPort") if host else (0, 0)
    if host and last != first and last - first != host_last - host_first:
        raise BadRequest(f"invalid ranges specified for container and host Ports: {ports} and {host}",
                         f"give both {last - first + 1} ports")
    return PortSpec(address, host_first, host_last, first, last, proto)


def parse_expose(text: str) -> tuple[ContainerPort, ...]:
    """The ports of one `--expose`: 80, 80/udp, 8000-8009/tcp."""
    if ":" in text:
        raise BadRequest(f"invalid port format for --expose: {text}", "--expose names no host port; -p does")
    try:
        ports, proto = _protocol(text, text)
        first, last = _range(ports, "port")
    except BadRequest as error:
        raise BadRequest(f"invalid range format for --expose: {error.what}",
                         "write it as 80 or 8000-8009/udp") from error
    return tuple(ContainerPort(port, proto) for port in range(first, last + 1))


def publish_all(exposed: Iterable[ContainerPort], specs: Iterable[PortSpec]) -> tuple[PortSpec, ...]:
    """`-P`: every exposed port that no `-p` publishes, at a host port of our choice."""
    published = {port for spec in specs for port in spec.ports}
    return tuple(PortSpec(None, 0, 0, item.port, item.port, item.proto)
                 for item in dict.fromkeys(exposed) if item not in published)


def specs_of(ports: Iterable[str], expose: Iterable[str], everything: bool) -> tuple[PortSpec, ...]:
    """What the words of -p, --expose and -P (`everything`) of one container publish."""
    given = tuple(dict.fromkeys(map(parse, ports)))
    return (*given, *publish_all(exposed_by((), expose), given)) if everything else given


def exposed_by(ports: Iterable[str], expose: Iterable[str]) -> tuple[ContainerPort, ...]:
    """The ports a container exposes: what -p publishes is exposed too."""
    found = [port for text in expose for port in parse_expose(text)]
    return tuple(dict.fromkeys([*found, *(port for text in ports for port in parse(text).ports)]))


def _from_csv(text: str) -> str:
    """published=8080,target=80,protocol=udp in the short form.

    Docker ignores keys it does not know; we do not: who writes ip=127.0.0.1 must not be published to the world.
    """
    fields = {"protocol": "tcp", "published": "", "target": "", "mode": ""}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise BadRequest(f"invalid publish opts format (should be name=value but got '{item}')", _FORMS)
        if key not in fields:
            raise BadRequest(f"invalid field key {key}", "the keys are published, target, protocol; with an address"
                             " use the short form: 127.0.0.1:8080:80")
        fields[key] = value
    return f"{fields['published']}:{fields['target']}/{fields['protocol']}"


def _protocol(container: str, text: str) -> tuple[str, str]:
    ports, _, proto = container.partition("/")
    if not ports:
        raise BadRequest(f"no port specified: {text}<empty>", _FORMS)
    proto = proto.lower() or "tcp"
    if proto not in PROTOCOLS:
        raise BadRequest(f"invalid proto: {proto}", "the protocols are tcp, udp and sctp")
    return ports, proto


def _address(text: str) -> Address | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return None
    try:
        ip = IPv6Address(bare) if ":" in bare and "%" not in bare else IPv4Address(bare)
    except ValueError as error:
        raise BadRequest(f"invalid IP address: {bare}", f"an address of this host, no name; {_FORMS}") from error
    return getattr(ip, "ipv4_mapped", None) or ip


def _range(text: str, what: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    numbers = [int(number) if number.isascii() and number.isdigit() else -1 for number in (first, last or first)]
    low, high = numbers
    if not 0 <= low <= high <= 65535 or (dash and not last) or (low == 0 and high):
        raise BadRequest(f"invalid {what}: {text}", _why_not(text, what))
    return low, high


def _why_not(text: str, what: str) -> str:
    if what == "hostPort" and "." in text:
        return f"for a port of our choice at that address, write two colons: {text}::80"
    return "ports are numbers up to 65535, ranges go up: 8000-8009"


def resolve(specs: Iterable[PortSpec], default: Address | None, ipv4: IPv4Address | None, ipv6: IPv6Address | None,
            host_ipv6: bool, relay: bool = False) -> tuple[Wanted, ...]:
    """The bindings that a container with these addresses gets, in order of allocation.

    `default` is the network's host_binding_ipv4. Where the container lacks the family of a host address there is
    no binding (Docker without its userland proxy does the same), but a `relay` takes IPv6 to an IPv4 container.
    """
    inside: dict[int, Address | None] = {4: ipv4, 6: ipv6}
    wanted = {item: None
              for spec in specs
              for host_ip in _host_addresses(spec.host_ip, default or _ANY4, host_ipv6)
              if (ip := inside[host_ip.version] or (ipv4 if relay and spec.proto in RELAYED else None)) is not None
              for item in _at(spec, host_ip, ip)}
    return tuple(sorted(wanted, key=lambda item: item.order))


def _host_addresses(asked: Address | None, default: Address, host_ipv6: bool) -> tuple[Address, ...]:
    """Only an unsaid 0.0.0.0 means IPv6 too."""
    if asked is None and default == _ANY4 and host_ipv6:
        return _ANY4, _ANY6
    return (asked or default,)


def _at(spec: PortSpec, host_ip: Address, ip: Address) -> Iterator[Wanted]:
    """A 1:1 range is one binding; ephemeral ports are chosen one by one."""
    count = spec.last - spec.first + 1
    if spec.host_first and count > 1:
        yield Wanted(spec.proto, host_ip, spec.host_first, spec.host_last, ip, spec.first, count)
        return
    for item in spec.ports:
        yield Wanted(spec.proto, host_ip, spec.host_first, spec.host_last, ip, item.port, 1)
