"""Who is called what, and who may know it: the lookup of the embedded name server (docker-behaviour.md §6).

A container sees the names of the networks it shares, in the order in which it prefers them. What no network knows
goes to the upstream servers. Pure: everything is an argument, and each answer says why it is what it is.

    db.net1.        ->  "db.net1" in any network,  then "db" in the network called net1
    2.0.28.172.in-addr.arpa.  ->  the container that has 172.28.0.2
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minidock.model.record import Record

A, PTR, MX, AAAA = 1, 12, 15, 28  # RFC 1035 §3.2.2, RFC 3596
TTL_SECONDS = 600  # Docker's
RESOLVER = "127.0.0.11"
MAX_UPSTREAMS = 3


class Name(Record):
    """One name of one endpoint; addresses are packed, b"" is none."""

    network: str  # the network's id
    name: str
    container: str  # the container's id
    address4: bytes = b""
    address6: bytes = b""

    def address(self, kind: int) -> bytes:
        """Its address of the family that `kind` asks for; for MX any."""
        return {A: self.address4, AAAA: self.address6}.get(kind, self.address4 or self.address6)


class Upstream(Record):
    """A name server beyond ours, and from where it is asked: the host's or the container's namespace."""

    place: str  # host, container
    address: str

    def __str__(self) -> str:
        return f"host({self.address})" if self.place == "host" else self.address


class Client(Record):
    """One who asks: what its container sees, and where its other questions go."""

    container: str  # the container's id
    networks: tuple[tuple[str, str], ...]  # id and name, the preferred first (docker-behaviour.md §2.2)
    links: tuple[tuple[str, str], ...] = ()  # names that only it knows: alias, target
    upstreams: tuple[Upstream, ...] = ()
    ndots: bool = False  # did the user or the host choose an ndots?
    internal: bool = False  # are all its networks without a way out?


class Answer(Record):
    """What to reply, and the decisions that led to it."""

    kind: str  # found, empty (the name exists, not what was asked), forward
    addresses: tuple[bytes, ...] = ()
    pointer: str = ""  # for PTR: a name
    why: tuple[str, ...] = ()
    known: bool = True  # it is about a name of ours


class Zones:
    """All names, found by name and by address; what a container is called is replaced as a whole."""

    def __init__(self, names: Iterable[Name] = ()) -> None:
        self._found: dict[tuple[str, str | bytes], list[Name]] = {}  # (network, name or address)
        self._of: dict[str, list[Name]] = {}  # container
        self.replace((), names)

    def replace(self, containers: Iterable[str], names: Iterable[Name]) -> None:
        """Forget the containers' names, then enter these."""
        for container in containers:
            for name in self._of.pop(container, ()):
                self._drop(name)
        for name in names:
            self._of.setdefault(name.container, []).append(name)
            for key in _keys(name):
                self._found.setdefault(key, []).append(name)

    def _drop(self, name: Name) -> None:
        for key in _keys(name):
            self._found[key].remove(name)
            if not self._found[key]:
                del self._found[key]

    def named(self, network: str, name: str) -> list[Name]:
        """The endpoints of a network that are called so."""
        return self._found.get((network, name), [])

    def owner(self, network: str, address: bytes) -> str:
        """The container that has this address there, by its first name; "" if none has."""
        found = self._found.get((network, address))
        return found[0].name if found else ""


def _keys(name: Name) -> Iterator[tuple[str, str | bytes]]:
    for what in (fold(name.name), name.address4, name.address6):
        if what != b"":
            yield name.network, what


def fold(name: str) -> str:
    """Names differ neither by the case of A to Z (RFC 4343) nor by a last dot."""
    return name.removesuffix(".").encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def lookup(zones: Zones, client: Client, name: str, kind: int) -> Answer:
    """What the client's server replies to a question, class IN."""
    name = fold(name)
    if kind == PTR:
        return _reverse(zones, client, name)
    if kind not in (A, AAAA, MX):
        return _forward("only A, AAAA, MX and PTR are answered here")
    why: list[str] = []
    for short, network in _readings(name):
        found = _search(zones, client, short, network, kind, why)
        if found is not None:
            return Answer("found" if found and kind != MX else "empty", found if kind != MX else (), "", tuple(why))
    return _unknown(client, name, kind, why)


def _readings(name: str) -> Iterator[tuple[str, str]]:
    """How a name can be read: as itself in any network, then as NAME.NETWORK, cut at each dot from the right."""
    yield name, ""
    cut = name.rfind(".")
    while cut > 0:
        yield name[:cut], name[cut + 1 :]
        cut = name.rfind(".", 0, cut)


def _search(zones: Zones, client: Client, short: str, only: str, kind: int, why: list[str]) -> tuple[bytes, ...] | None:
    """The addresses in the first network that has some; () if the name has others only; None if nobody has it."""
    target = fold({fold(alias): name for alias, name in client.links}.get(short, short))
    if target != short:
        why.append(f"{short} is this container's link to {target}")
    known = False
    for network, called in client.networks:
        if only and fold(called) != only:
            continue
        rows = zones.named(network, target)
        addresses = tuple(row.address(kind) for row in rows if row.address(kind))
        why.append(_told(called, target, rows, addresses))
        if addresses:
            return addresses
        known = known or bool(rows)
    return () if known else None


def _told(network: str, name: str, rows: list[Name], addresses: tuple[bytes, ...]) -> str:
    if not rows:
        return f"network {network} does not know {name or 'the root'}"
    many = "1 address" if len(addresses) == 1 else f"{len(addresses)} addresses"
    return f"network {network} knows {name}: {many if addresses else 'no address of that family'}"


def _unknown(client: Client, name: str, kind: int, why: list[str]) -> Answer:
    if kind != MX and client.ndots and "." not in name:
        return Answer("empty", (), "", (*why, "ndots was chosen, so a name without a dot is not asked outside"), False)
    return _forward(*why)


def _forward(*why: str) -> Answer:
    return Answer("forward", (), "", (*why, "not ours: goes to the upstream servers"), False)


def _reverse(zones: Zones, client: Client, name: str) -> Answer:
    """PTR: NAME.NETWORK of the container that has the address."""
    address = packed(name)
    if address is None:
        return _forward(f"{name} is not an address written backwards")
    why = []
    for network, called in client.networks:
        owner = zones.owner(network, address)
        why.append(f"network {called}: {f'the address is {owner}' if owner else 'nobody has that address'}")
        if owner:
            return Answer("found", (), f"{owner}.{called}", tuple(why))
    return _forward(*why)


def packed(name: str) -> bytes | None:
    """The address in d.c.b.a.in-addr.arpa (RFC 1035 §3.5) or 32 nibbles.ip6.arpa (RFC 3596 §2.5)."""
    labels = name.split(".")
    digits, suffix = labels[-3::-1], labels[-2:]
    if suffix == ["in-addr", "arpa"] and len(digits) == 4 and all(map(_is_byte, digits)):
        return bytes(map(int, digits))
    if suffix == ["ip6", "arpa"] and len(digits) == 32 and all(d in "0123456789abcdef" and d for d in digits):
        return bytes.fromhex("".join(digits)) if all(len(d) == 1 for d in digits) else None
    return None


def _is_byte(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 256 and str(int(text)) == text


def upstreams(client: Client) -> tuple[Upstream, ...]:
    """Whom to ask, in order: three at most; from the host only if the container can get out; never ourselves."""
    others = [one for one in client.upstreams if (one.place, one.address) != ("container", RESOLVER)]
    return tuple(one for one in others[:MAX_UPSTREAMS] if not (client.internal and one.place == "host"))
