"""DNS messages as bytes (RFC 1035 §4.1). Only the question is ever parsed; answers point back at it.

      0        2      4        6        8        10       12
    +--------+------+--------+--------+--------+--------+----------------------+-----------------+
    |   id   | flags| 1      | answers| 0      | 0      | question, as asked   | answers …       |
    +--------+------+--------+--------+--------+--------+----------------------+-----------------+
                                                        ^-- c00c in each answer points here

Pure. A DNS library would parse, build and compress what is here copied: 15 times the work (process-facts.md §4).
"""

from __future__ import annotations

import struct

from minidock.model.record import Record

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
KINDS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65,
         "ANY": 255}
IN = 1
UDP_BYTES, TCP_BYTES = 512, 65535  # what fits without EDNS (RFC 1035 §2.3.4), and in a frame (§4.2.2)
_OPT = 41  # EDNS(0), RFC 6891
_counts = struct.Struct(">HHHH")
_record = struct.Struct(">HHHIH")


class Question(Record):
    """What is asked, and where the question ends in the message."""

    name: str  # labels joined by dots, no last one; dots within a label are written \\.
    kind: int
    category: int  # the class
    end: int


def fault(query: bytes) -> int | None:
    """The code to refuse a message's header with; -1: say nothing at all; None: it is a query."""
    if len(query) < 12 or query[2] & 0x80:
        return -1  # no message; or an answer, and to answer answers makes a loop
    if query[2] & 0x78:
        return NOTIMP
    questions, answers, authorities, extras = _counts.unpack_from(query, 4)
    return FORMERR if questions != 1 or answers > 1 or authorities > 1 or extras > 2 else None


def question(query: bytes) -> Question | None:
    """The question of a message, or None if it is none: a name too long, cut short, or compressed."""
    labels, at = [], 12
    while at < len(query) and query[at]:
        length = query[at]
        if length > 63 or at + length - 12 > 253:  # 255 bytes with the length bytes (RFC 1035 §3.1)
            return None
        labels.append(_text(query[at + 1 : at + 1 + length]))
        at += 1 + length
    if at + 5 > len(query):
        return None
    kind, category = struct.unpack_from(">HH", query, at + 1)
    return Question(".".join(labels), kind, category, at + 5)


def _text(label: bytes) -> str:
    return label.decode("utf-8", "surrogateescape").replace("\\", "\\\\").replace(".", "\\.")


def name_bytes(name: str) -> bytes:
    """A name as labels with their lengths; ValueError if it cannot be one."""
    labels = [label.encode("utf-8", "surrogateescape") for label in name.removesuffix(".").split(".")]
    if labels == [b""]:
        return b"\0"
    if not all(0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        raise ValueError(f"{name} is not a domain name")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def query(name: str, kind: int, identity: int, size: int = 0) -> bytes:
    """A question to a recursive server; with `size`, that many bytes are welcome over UDP."""
    extra = b"\0" + struct.pack(">HHIH", _OPT, size, 0, 0) if size else b""
    header = struct.pack(">HHHHHH", identity, 0x0100, 1, 0, 0, bool(extra))
    return header + name_bytes(name) + struct.pack(">HH", kind, IN) + extra


def record(kind: int, ttl_seconds: int, value: bytes) -> bytes:
    """One answer about the question's name."""
    return _record.pack(0xC00C, kind, IN, ttl_seconds, len(value)) + value


def flags(query: bytes, code: int = NOERROR, cut: bool = False) -> bytes:
    """The flags of a reply: RD and CD as asked, RA; not authoritative, as Docker's."""
    return bytes((0x80 | cut << 1 | query[2] & 0x01, 0x80 | query[3] & 0x10 | code))


def reply(query: bytes, end: int, section: bytes = b"", count: int = 0, code: int = NOERROR) -> bytes:
    """A reply to a query whose question ends at `end`."""
    counts = _counts.pack(1, count, 0, 0)
    return query[:2] + flags(query, code) + counts + query[12:end] + section


def refusal(query: bytes, code: int) -> bytes:
    """A reply to what has no question: the header alone."""
    return query[:2] + flags(query, code) + bytes(8)


def shortened(query: bytes, end: int, section: bytes, size: int, limit: int) -> bytes:
    """As many whole answers of `size` bytes as fit into `limit`, marked as cut (TC): ask again over TCP."""
    count = (limit - end) // size
    counts = _counts.pack(1, count, 0, 0)
    return query[:2] + flags(query, cut=True) + counts + query[12:end] + section[: count * size]


def room(query: bytes, end: int) -> int:
    """How many bytes a UDP reply may have: 512, or what the query's OPT record says."""
    at = end
    for _ in range(sum(_counts.unpack_from(query, 4)[1:])):
        at = after_name(query, at)
        if at + 10 > len(query):
            break
        kind, size, _, length = struct.unpack_from(">HHIH", query, at)
        if kind == _OPT:
            return max(UDP_BYTES, int(size))
        at += 10 + length
    return UDP_BYTES


def after_name(message: bytes, at: int) -> int:
    """Where a possibly compressed name ends."""
    while at < len(message) and message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def belongs(answer: bytes, query: bytes, end: int) -> bool:
    """Is this an answer to that question, and not somebody's guess? The identity, and the question in any case."""
    return (len(answer) >= 12 and answer[:2] == query[:2] and bool(answer[2] & 0x80)
            and (answer[12:end].lower() == query[12:end].lower() or answer[4:6] == b"\0\0"))


def code_of(answer: bytes) -> int:
    """The answer's response code."""
    return answer[3] & 0x0F
