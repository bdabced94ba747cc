"""A client's desk: bytes in, bytes out, or "ask somebody else".

The first question about a name is parsed and looked up; what comes out is kept under the question's own bytes in
lower case (safe on names in wire format: length bytes are below 64). From then on a known name costs one dictionary
lookup and one copy. Whatever is kept is about names that exist, so nobody can fill the memory by asking nonsense.
"""

from __future__ import annotations

from _random import Random

from minidock.dns import wire, zones
from minidock.dns.zones import Client, Zones

Ready = dict[bytes, tuple[bytes, bytes, int, int]]  # question -> counts, answers, bytes of one, how many

_PLAIN = b"\0\1\0\0\0\0"  # one question, no answers, no authorities
_FLAGS = {rd | cd: bytes((0x80 | rd, 0x80 | cd)) for rd in (0, 0x01) for cd in (0, 0x10)}
_chance = Random().random


class Desk:
    """Answers one container's questions; `ready` may be shared by all that see the same names."""

    def __init__(self, names: Zones, client: Client, ready: Ready) -> None:
        self.names = names
        self.client = client
        self.ready = ready

    def answer(self, query: bytes, limit: int = wire.UDP_BYTES) -> bytes | None:
        """The reply of at most `limit` bytes (more over UDP if the query says so); b"": none; None: ask upstream.

        Equal keys are equal questions: the key's first zero byte ends its name, so it does here.
        """
        end = query.find(b"\0", 12) + 5
        ready = self.ready.get(query[12:end].lower())
        if ready is None or query[4:10] != _PLAIN or query[2] & 0xF8:
            return self._consider(query, limit)
        counts, section, size, count = ready
        if count > 1:  # any of them may be the first
            start = int(_chance() * count) * size
            section = section[start:] + section[:start]
        if end + len(section) > limit:
            return self._fitting(query, end, section, size, limit)
        return query[:2] + _FLAGS[query[2] & 0x01 | query[3] & 0x10] + counts + query[12:end] + section

    def _fitting(self, query: bytes, end: int, section: bytes, size: int, limit: int) -> bytes:
        """All of it if the client said that it takes so much, else a part."""
        limit = max(limit, wire.room(query, end))
        if end + len(section) > limit:
            return wire.shortened(query, end, section, size, limit)
        return wire.reply(query, end, section, len(section) // size)

    def _consider(self, query: bytes, limit: int) -> bytes | None:
        """Everything that is not a plain question about a name asked before."""
        code = wire.fault(query)
        if code is not None:
            return wire.refusal(query, code) if code >= 0 else b""
        asked = wire.question(query)
        if asked is None:
            return wire.refusal(query, wire.FORMERR)
        if asked.category != wire.IN:
            return None
        answer = zones.lookup(self.names, self.client, asked.name, asked.kind)
        if answer.kind == "forward":
            return None
        records = _records(asked.kind, answer)
        section, count = b"".join(records), len(records)
        size = len(section) // (count or 1)
        if answer.known:
            counts = _PLAIN[:2] + count.to_bytes(2, "big") + bytes(4)
            self.ready[query[12 : asked.end].lower()] = (counts, section, size, count)
        return self._fitting(query, asked.end, section, size or 1, limit)


def _records(kind: int, answer: zones.Answer) -> list[bytes]:
    values = answer.addresses
    if answer.pointer:
        try:
            values = (wire.name_bytes(answer.pointer),)
        except ValueError:  # a container's name may be longer than a label: nothing to say, but nothing to ask either
            values = ()
    return [wire.record(kind, zones.TTL_SECONDS, value) for value in values]
