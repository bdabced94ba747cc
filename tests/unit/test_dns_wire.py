"""DNS messages in bytes: golden replies, scapy's opinion of them, and a flood of nonsense."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.dns import wire, zones
from minidock.dns.desk import Desk, Ready
from minidock.dns.zones import AAAA, MX, PTR, A, Client, Name, Zones

V6 = bytes.fromhex("fd000000000000000000000000000002")
NAMES = (Name("n", "web", "c1", bytes((10, 0, 0, 2)), V6), Name("n", "solo", "c2", bytes((10, 0, 0, 3))),
         *(Name("n", "many", f"m{i}", bytes((10, 0, 1, i))) for i in range(4)),
         *(Name("n", "crowd", f"k{i}", bytes((10, 0, 2, i))) for i in range(100)),
         Name("n", "x" * 64, "long", bytes((10, 0, 3, 1))))
CLIENT = Client("me", (("n", "net"),))


def desk(client: Client = CLIENT) -> Desk:
    """A desk that has not answered anything yet."""
    return Desk(Zones(NAMES), client, {})


def asked(name: str, kind: int = A, size: int = 0) -> bytes:
    """A question with the identity 0x1234."""
    return wire.query(name, kind, 0x1234, size)


def both(query: bytes, limit: int = wire.UDP_BYTES) -> bytes | None:
    """The reply by the long way; the short way must give the same."""
    one = desk()
    first = one.answer(query, limit)
    assert one.answer(query, limit) == first
    return first


GOLDEN = {
    ("WeB", A): "1234 8180 0001 0001 0000 0000 03 576542 00 0001 0001 c00c 0001 0001 00000258 0004 0a000002",
    ("web", AAAA): "1234 8180 0001 0001 0000 0000 03 776562 00 001c 0001 c00c 001c 0001 00000258 0010"
                   " fd00 0000 0000 0000 0000 0000 0000 0002",
    ("solo", AAAA): "1234 8180 0001 0000 0000 0000 04 736f6c6f 00 001c 0001",
    ("solo", MX): "1234 8180 0001 0000 0000 0000 04 736f6c6f 00 000f 0001",
    ("3.0.0.10.in-addr.arpa", PTR): "1234 8180 0001 0001 0000 0000 01 33 01 30 01 30 02 3130 07 696e2d61646472"
                                    " 04 61727061 00 000c 0001 c00c 000c 0001 00000258 000a 04 736f6c6f 03 6e6574 00",
}


@pytest.mark.parametrize(("name", "kind"), GOLDEN)
def test_a_reply_is_these_bytes(name: str, kind: int) -> None:
    """RFC 1035 by hand: the question as asked, RA, not AA, TTL 600."""
    assert both(asked(name, kind)) == bytes.fromhex(GOLDEN[name, kind])


def test_scapy_reads_the_same() -> None:
    """Another implementation's opinion."""
    from scapy.layers.dns import DNS

    reply = DNS(both(asked("web")))
    assert (reply.qr, reply.aa, reply.rd, reply.ra, reply.rcode, reply.ancount) == (1, 0, 1, 1, 0, 1)
    assert (reply.an[0].rrname, reply.an[0].rdata, reply.an[0].ttl) == (b"web.", "10.0.0.2", 600)
    assert DNS(both(asked("2.0.0.10.in-addr.arpa", PTR))).an[0].rdata == b"web.net."


def test_what_is_not_ours_is_forwarded() -> None:
    """None; also another class, and other types of known names."""
    assert both(asked("example.org")) is None
    assert both(asked("web", wire.KINDS["TXT"])) is None
    assert both(asked("web")[:-2] + b"\0\3") is None  # class CHAOS
    assert both(asked("web")) is not None


def test_rd_and_cd_come_back() -> None:
    """The two bits that a reply copies (RFC 1035 §4.1.1, RFC 4035 §3.2.2)."""
    for rd, cd in ((0, 0), (0, 0x10), (1, 0), (1, 0x10)):
        query = asked("web")[:2] + bytes((rd, cd)) + asked("web")[4:]
        reply = both(query)
        assert reply is not None
        assert reply[2:4] == bytes((0x80 | rd, 0x80 | cd))


def test_answers_are_shuffled_and_complete() -> None:
    """Each address comes first sometimes; all come always."""
    one, firsts = desk(), set()
    for _ in range(200):
        reply = one.answer(asked("many"))
        assert reply is not None
        found = [reply[at + 12 : at + 16] for at in range(len(reply) - 64, len(reply), 16)]
        assert sorted(found) == [bytes((10, 0, 1, i)) for i in range(4)]
        firsts.add(found[0])
    assert len(firsts) == 4


@pytest.mark.parametrize(("size", "limit", "fits", "cut"), [
    (0, 512, 30, True), (400, 512, 30, True), (1232, 512, 75, True), (4096, 512, 100, False), (0, 65535, 100, False)])
def test_a_long_reply_is_cut_where_the_client_says(size: int, limit: int, fits: int, cut: bool) -> None:
    """512 bytes over UDP, more with EDNS, 64 KiB over TCP; whole records only; TC when some are missing."""
    one = desk()
    for _ in range(2):
        reply = one.answer(asked("crowd", A, size), limit)
        assert reply is not None
        assert (int.from_bytes(reply[6:8], "big"), bool(reply[2] & 2)) == (fits, cut)
        assert len(reply) == 23 + 16 * fits <= max(size, limit)


@pytest.mark.parametrize(("change", "code"), [
    ({2: 0x80}, None), ({2: 0x10}, wire.NOTIMP), ({2: 0x28}, wire.NOTIMP), ({5: 0}, wire.FORMERR),
    ({5: 2}, wire.FORMERR), ({7: 2}, wire.FORMERR), ({9: 2}, wire.FORMERR), ({11: 3}, wire.FORMERR),
    ({12: 0xC0}, wire.FORMERR), ({12: 200}, wire.FORMERR), ({12: 40}, wire.FORMERR)])
def test_a_broken_header_is_refused(change: dict[int, int], code: int | None) -> None:
    """As Docker's library does; an answer is never answered."""
    query = bytearray(asked("web"))
    for at, value in change.items():
        query[at] = value
    assert both(bytes(query)) == (b"" if code is None else b"\x124" + wire.flags(bytes(query), code) + bytes(8))


def test_a_name_of_255_bytes_is_the_longest() -> None:
    """RFC 1035 §3.1 counts the length bytes and the root's."""
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(wire.name_bytes(longest)) == 255
    found = wire.question(asked(longest))
    assert found is not None and found.name == longest
    header = asked("web")[:12]
    assert wire.question(header + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3e" + b"b" * 62
                         + b"\0\0\1\0\1") is None
    with pytest.raises(ValueError, match="not a domain name"):
        wire.name_bytes(longest + "b")


def test_a_dot_inside_a_label_is_no_dot_between_labels() -> None:
    """`we.b` as one label of four bytes is not the name of anybody."""
    named = Desk(Zones((Name("n", "we.b", "c", bytes(4)),)), CLIENT, {})
    assert named.answer(asked("we.b")) is not None
    assert named.answer(asked("x")[:12] + b"\4we.b\0\0\1\0\1") is None


def test_a_name_that_fits_no_label_has_an_empty_pointer() -> None:
    """A container's name may be longer than 63 bytes; its address then has no name."""
    assert both(asked("1.3.0.10.in-addr.arpa", PTR))[6:8] == b"\0\0"  # type: ignore[index]


def test_only_known_names_are_kept() -> None:
    """Nobody fills the memory by asking nonsense."""
    ready: Ready = {}
    one = Desk(Zones(NAMES), CLIENT.but(ndots=True), ready)
    for number in range(1000):
        one.answer(asked(f"nonsense{number}"))
        one.answer(asked(f"nonsense{number}.example.org"))
    assert not ready
    for kind in (A, AAAA, MX):
        for name in ("web", "WEB", "web.net", "wEB.Net"):
            one.answer(asked(name, kind))
    assert len(ready) == 6


def test_the_desk_says_what_the_lookup_says() -> None:
    """The short way is a copy of the long one."""
    for name in (*(name.name for name in NAMES if len(name.name) < 64), "web.net", "other", "x.y"):
        for kind in (A, AAAA, MX, 16):
            one = desk()
            one.answer(asked(name, kind), 65535)
            reply = one.answer(asked(name, kind), 65535)  # the short way, if there is one
            found = zones.lookup(Zones(NAMES), CLIENT, name, kind)
            assert (reply is None) == (found.kind == "forward")
            assert reply is None or int.from_bytes(reply[6:8], "big") == len(found.addresses)


def nonsense(chance: random.Random) -> bytes:
    """A message that is none, or nearly one: changed, cut, glued bytes of a real one."""
    base = bytearray(asked(chance.choice(["web", "many", "crowd", "x.y", "3.0.0.10.in-addr.arpa"]),
                           chance.choice([1, 12, 15, 28, 255]), chance.choice([0, 1232])))
    for _ in range(chance.randint(0, 6)):
        base[chance.randrange(len(base))] = chance.randrange(256)
    if chance.random() < 0.3:
        del base[chance.randrange(len(base)) :]
    if chance.random() < 0.2:
        base += chance.randbytes(chance.randrange(60))
    return bytes(base) if chance.random() < 0.9 else chance.randbytes(chance.randrange(80))


def test_nonsense_gets_a_reply_or_none_and_never_an_exception() -> None:
    """100,000 broken messages at one desk; what is kept stays small, and a good question is still answered."""
    chance, one = random.Random(11), desk()
    outcomes = {"refused": 0, "silent": 0, "answered": 0, "forwarded": 0}
    for _ in range(100_000):
        message = nonsense(chance)
        reply = one.answer(message)
        if reply is None:
            outcomes["forwarded"] += 1
            assert wire.question(message) is not None  # what the forwarder relies on
        elif reply:
            assert reply[:2] == message[:2] and reply[2] & 0x80 and len(reply) <= 4096
            outcomes["refused" if reply[3] & 15 else "answered"] += 1
        else:
            outcomes["silent"] += 1
    assert min(outcomes.values()) > 1000, outcomes
    assert len(one.ready) < 200
    assert one.answer(asked("solo")) == both(asked("solo"))


@given(st.binary(max_size=120))
def test_any_bytes_are_survived(message: bytes) -> None:
    """By each function that reads what strangers sent."""
    desk().answer(message)
    wire.belongs(message, asked("web"), len(asked("web")))
    if wire.fault(message) is None and (found := wire.question(message)):
        assert wire.room(message, found.end) >= 512


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3))
def test_a_name_survives_the_wire(labels: list[bytes]) -> None:
    """What is asked is read; dots and backslashes inside labels are marked."""
    raw = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    found = wire.question(asked("x")[:12] + raw + struct.pack(">HH", 28, 1))
    assert found is not None
    assert (found.kind, found.category, found.end) == (28, 1, 12 + len(raw) + 4)
    plain = b".".join(label.replace(b"\\", b"\\\\").replace(b".", b"\\.") for label in labels)
    assert found.name.encode("utf-8", "surrogateescape") == plain
