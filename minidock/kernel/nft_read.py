"""Reading nf_tables: what iptables' tables hold, and which of it is ours.

Reading never creates anything (`iptables -S` does: it makes the base chains that are missing). A dump longer
than one buffer can be overtaken by a change, so it is repeated until the ruleset's generation is the same before
and after (net/netfilter/nf_tables_api.c: every commit counts one up).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator, Sequence

from minidock.kernel.iptables_decode import comment_match, decode, expression_list
from minidock.kernel.netlink import DUMP, REQUEST, NetlinkSocket, Refusal, attribute, attributes, message
from minidock.kernel.xt_matches import quoted
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeVar

    Read = TypeVar("Read")

FAMILIES = {4: 2, 6: 10}  # NFPROTO_IPV4, NFPROTO_IPV6
TABLES = ("filter", "nat", "raw", "mangle")
MARK = "minidock:"  # how the comment of every rule of ours begins
_CONTAINERS = b"minidock:container/"  # and of every container's
NEWRULE, GETRULE, GETGEN = 0xA06, 0xA07, 0xA10
_GETTABLE, GETCHAIN = 0xA01, 0xA04
_FAMILY_NAMES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_VERSIONS = {number: version for version, number in FAMILIES.items()}
_POLICIES = ("DROP", "ACCEPT")
_TRIES = 100
_ASKED_AT_ONCE = 16  # an answer takes 4 KB of the receive buffer
_ERROR = 2

Place = tuple[int, str, str]  # family 4 or 6, table, chain


class OwnRule(Record):
    """A rule of ours as the kernel holds it."""

    family: int  # 4 or 6
    table: str
    chain: str
    handle: int
    index_in_chain: int  # from 1, as `iptables -L --line-numbers` and `iptables -D CHAIN n` count
    comment: str
    spec: str
    packets: int
    bytes: int

    @property
    def owner(self) -> str:
        """The scope its comment names."""
        return self.comment.removeprefix(MARK).partition(" ")[0]


def owned(socket: NetlinkSocket) -> list[OwnRule]:
    """All rules of ours in iptables' tables, chain by chain and in order."""
    return steady(socket, lambda: [own for family in FAMILIES for own in _owned(socket, family)])


def everything(socket: NetlinkSocket) -> tuple[tuple[str, ...], ...]:
    """The whole ruleset of all families as comparable text; handles and counters are left out.

    Rows are ("table", family, name), ("chain", family, table, name, type, hook, priority, policy; empty for a
    chain that is no base chain) and ("rule", family, table, chain, comment, spec), rules in the order of use.
    """
    return steady(socket, lambda: (*_tables(socket), *_chains(socket), *_all_rules(socket)))


def words(socket: NetlinkSocket, container: str = "") -> tuple[tuple[str, ...], ...]:
    """The chains and rules of `everything` as far as there are words for them.

    With a container's short id, what bears another container's mark is left out unread: its addresses and host ports
    are its own, and among five hundred containers those rules are nearly all.
    """
    def concerns(body: bytes) -> bool:
        return not container or _CONTAINERS not in body or _CONTAINERS + container.encode() in body

    return steady(socket, lambda: (*_chains(socket), *_all_rules(socket, bytes_too=False, concerns=concerns)))


def policy(socket: NetlinkSocket, family: int, table: str, chain: str) -> str | None:
    """The policy of a base chain, or None if there is no such chain."""
    return chains_among(socket, [(family, table, chain)]).get((family, table, chain)) or None


def chains_among(socket: NetlinkSocket, places: Sequence[Place]) -> dict[Place, str]:
    """Those of these chains that exist, with the policy of a base chain and "" for others."""
    bodies = [header(FAMILIES[family]) + named(1, table) + named(3, chain) for family, table, chain in places]
    answers = zip(places, ask_each(socket, GETCHAIN, bodies), strict=True)
    return {place: _POLICIES[found[5][3]] if 5 in found else "" for place, found in answers if found}


def ask_each(socket: NetlinkSocket, kind: int, bodies: Sequence[bytes]) -> list[dict[int, bytes]]:
    """The attributes of each object asked for, in order; none where there is no such object."""
    answers: dict[int, dict[int, bytes]] = {}
    numbers = [socket.next_sequence() for _ in bodies]
    requests = [message(kind, REQUEST, body, number) for number, body in zip(numbers, bodies, strict=True)]
    for start in range(0, len(requests), _ASKED_AT_ONCE):
        for answer, number, body in socket.exchange(b"".join(requests[start : start + _ASKED_AT_ONCE])):
            if answer != _ERROR:
                answers[number] = attributes(body, 4)
    return [answers.get(number, {}) for number in numbers]


def generation(socket: NetlinkSocket) -> int:
    """The number of changes the ruleset has seen."""
    ((_, answer),) = socket.ask(GETGEN, 0, header(0))
    return int.from_bytes(attributes(answer, 4)[1], "big")


def steady(socket: NetlinkSocket, read: Callable[[], Read]) -> Read:
    """What `read` reads, from one generation of the ruleset if there is a moment of peace."""
    try:
        for _ in range(_TRIES):
            before = generation(socket)
            result = read()
            if generation(socket) == before:
                break
        return result
    except Refusal as refusal:
        raise refusal.as_error("reading the firewall rules", "this needs CAP_NET_ADMIN") from refusal


def header(family: int) -> bytes:
    """struct nfgenmsg: family, version 0, no resource."""
    return struct.pack(">BBH", family, 0, 0)


def named(kind: int, name: str) -> bytes:
    """A name as attribute."""
    return attribute(kind, name.encode() + b"\0")


def rules_in(
    socket: NetlinkSocket, family: int, table: str = "", chain: str = ""
) -> Iterator[dict[int, bytes]]:
    """The attributes of each rule of a family, a table or a chain; nothing where there is no such thing."""
    body = header(family) + (named(1, table) if table else b"") + (named(2, chain) if chain else b"")
    try:
        for _, answer in socket.ask(GETRULE, DUMP, body):
            yield attributes(answer, 4)
    except Refusal as refusal:
        if refusal.errno != errno.ENOENT:
            raise


def comment_of(rule: dict[int, bytes]) -> str:
    """The comment of a rule: in its user data, or in a match of its own.

    We write user data: TLVs of one byte type (0 = comment) and one byte length. `iptables-restore` of what
    `iptables-save` printed makes a match of it, and the rule is still ours.
    """
    data = rule.get(7, b"")
    while len(data) >= 2:
        kind, size = data[0], data[1]
        if kind == 0:
            return data[2 : 2 + size].rstrip(b"\0").decode(errors="replace")
        data = data[2 + size :]
    return comment_match(rule.get(4, b""))


def handle_of(rule: dict[int, bytes]) -> int:
    """A rule's handle: unique within its table until the table is deleted."""
    return int.from_bytes(rule[3], "big")


def text_of(value: bytes) -> str:
    """A name without its NUL."""
    return value.rstrip(b"\0").decode()


def _owned(socket: NetlinkSocket, family: int) -> Iterator[OwnRule]:
    position: dict[tuple[str, str], int] = {}
    for rule in rules_in(socket, FAMILIES[family]):
        place = text_of(rule[1]), text_of(rule[2])
        position[place] = position.get(place, 0) + 1
        comment = comment_of(rule)
        if comment.startswith(MARK) and place[0] in TABLES:
            spec, packets, octets = _spoken(family, rule, comment)
            index = position[place]
            yield OwnRule(family, *place, handle_of(rule), index, comment, spec, packets, octets)


def _spoken(family: int, rule: dict[int, bytes], comment: str) -> tuple[str, int, int]:
    """The words of a rule without its comment, its packets and its bytes."""
    spec, packets, octets = decode(family, rule.get(4, b""))
    return f"{spec} ".replace(f"-m comment --comment {quoted(comment)} ", "").rstrip(), packets, octets


def _family(body: bytes) -> str:
    return _FAMILY_NAMES.get(body[0], str(body[0]))


def _tables(socket: NetlinkSocket) -> list[tuple[str, ...]]:
    answers = socket.ask(_GETTABLE, DUMP, header(0))
    return sorted(("table", _family(body), text_of(attributes(body, 4)[1])) for _, body in answers)


def _chains(socket: NetlinkSocket) -> list[tuple[str, ...]]:
    return sorted(_chain(body) for _, body in socket.ask(GETCHAIN, DUMP, header(0)))


def _chain(body: bytes) -> tuple[str, ...]:
    found = attributes(body, 4)
    place = ("chain", _family(body), text_of(found[1]), text_of(found[3]))
    if 4 not in found:
        return (*place, "", "", "", "")
    hook = attributes(found[4])
    number, priority = struct.unpack(">I", hook[1])[0], struct.unpack(">i", hook[2])[0]
    return (*place, text_of(found[7]), str(number), str(priority), _POLICIES[found[5][3]])


def _all_rules(socket: NetlinkSocket, bytes_too: bool = True,
               concerns: Callable[[bytes], bool] = bool) -> list[tuple[str, ...]]:
    rows = [_row(body, bytes_too) for _, body in socket.ask(GETRULE, DUMP, header(0)) if concerns(body)]
    return sorted(rows, key=lambda row: row[:4])  # stable: within a chain the order is the meaning


def _row(body: bytes, bytes_too: bool) -> tuple[str, ...]:
    rule = attributes(body, 4)
    comment = comment_of(rule)
    spec, _, _ = _spoken(_VERSIONS.get(body[0], 0), rule, comment)
    place = ("rule", _family(body), text_of(rule[1]), text_of(rule[2]))
    return (*place, comment, f"{spec} {_undeciphered(rule)}" if bytes_too and "<" in spec else spec)


def _undeciphered(rule: dict[int, bytes]) -> str:
    """All expressions but counters as bytes: two rules whose words are unknown may still differ."""
    parts = expression_list(rule.get(4, b""))
    return " ".join(f"{name}:{data.hex()}" for name, data in parts if name != "counter")
