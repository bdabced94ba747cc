"""What becomes of a question, step by step: the lookup's decisions, then the upstreams asked one after the other.

Asks as the server would, from the same namespaces, but by itself; and in the end it asks the server too.
"""

from __future__ import annotations

import os
import select
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, socket
from collections.abc import Iterator
from time import monotonic

from minidock.dns import forwarding, tables, wire, zones
from minidock.errors import Conflict, MinidockError
from minidock.kernel import netns

_EDNS_BYTES = 1232  # no fragments (dnsflagday.net/2020)
_RESERVED = 3 << 6  # a compressed name: an offset of 14 bits follows (RFC 1035 §4.1.4)


def resolver(found: tables.Tables, container: str, called: str) -> tables.Resolver:
    """The container's server; Conflict if it has none."""
    for row in found.resolvers:
        if row.container == container:
            return row
    raise Conflict(f"container {called} has no name server of its own",
                   "only running containers on a network you made have one: minidock net create NAME")


def trace(found: tables.Tables, row: tables.Resolver, name: str, kind: int) -> Iterator[str]:
    """Each decision in words."""
    yield f"{name} {_kind(kind)}, asked at {zones.RESOLVER}:53 (really port {row.port}) in {row.netns}"
    yield "networks searched, in this order: " + ", ".join(called for _, called in row.client.networks)
    answer = zones.lookup(zones.Zones(found.names), row.client, name, kind)
    yield from answer.why
    if answer.kind == "found":
        values = [tables.text(one) for one in answer.addresses] or [answer.pointer + "."]
        yield f"answer: NOERROR, {', '.join(values)}, TTL {zones.TTL_SECONDS} s" + ", shuffled" * (len(values) > 1)
    elif answer.kind == "empty":
        yield "answer: NOERROR without an address; nobody outside is asked"
    else:
        yield from _upstreams(row, name, kind)
    yield _served(row, name, kind)


def _upstreams(row: tables.Resolver, name: str, kind: int) -> Iterator[str]:
    asked = zones.upstreams(row.client)
    for one in row.client.upstreams:
        if one not in asked:
            yield f"upstream {one}: not asked: " + _reason(row.client, one)
    for one in asked:
        code, text = _attempt(row, one, name, kind)
        yield text
        if code not in (None, wire.SERVFAIL, wire.REFUSED):
            return
    yield "answer: SERVFAIL; " + ("no upstream gave one" if asked else "there is nobody to ask")


def _reason(client: zones.Client, one: zones.Upstream) -> str:
    if (one.place, one.address) == ("container", zones.RESOLVER):
        return "that is this server itself"
    if client.internal and one.place == "host":
        return "the container has internal networks only"
    return f"only the first {zones.MAX_UPSTREAMS} are"


def _attempt(row: tables.Resolver, one: zones.Upstream, name: str, kind: int) -> tuple[int | None, str]:
    """The code one upstream answers, None for none; and that in words."""
    where = "the host's namespace" if one.place == "host" else row.netns
    began = monotonic()
    try:
        asker = forwarding.connect(one, row.netns, stream=False)
        answer = ask(asker, name, kind, forwarding.TIMEOUT_SECONDS)
    except OSError as error:
        return None, f"upstream {one.address}, asked from {where}: {error.strerror or error}"
    took = f"after {(monotonic() - began) * 1000:.1f} ms"
    if answer is None:
        return None, f"upstream {one.address}, asked from {where}: silence for {forwarding.TIMEOUT_SECONDS:.0f} s"
    return wire.code_of(answer), f"upstream {one.address}, asked from {where}: {told(answer)} {took}"


def _served(row: tables.Resolver, name: str, kind: int) -> str:
    answer = query(row, name, kind)
    return f"the server itself says: {told(answer) if answer else 'nothing'}"


def query(row: tables.Resolver, name: str, kind: int) -> bytes | None:
    """What the container's server answers; asked in its sandbox, so without the detour by port 53."""
    with netns.inside(row.netns):
        made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    made.connect((zones.RESOLVER, row.port))
    try:
        return ask(made, name, kind, forwarding.TIMEOUT_SECONDS * zones.MAX_UPSTREAMS + 1)
    except OSError as error:
        raise MinidockError(f"{zones.RESOLVER}:{row.port} in {row.netns}: {error.strerror}",
                            "the name server is back within a second if it was killed; try again") from error


def ask(asker: socket, name: str, kind: int, seconds: float) -> bytes | None:
    """Ask over a connected datagram socket, and close it; None if nothing comes in time."""
    identity = int.from_bytes(os.urandom(2), "big")
    try:
        message = wire.query(name, kind, identity, _EDNS_BYTES)
        asked = wire.question(message)
        assert asked is not None
        asker.setblocking(False)
        asker.send(message)
        deadline = monotonic() + seconds
        while select.select([asker], [], [], max(deadline - monotonic(), 0))[0]:
            answer = asker.recv(wire.TCP_BYTES)
            if wire.belongs(answer, message, asked.end):
                return answer
        return None
    finally:
        asker.close()


def told(answer: bytes) -> str:
    """An answer in words."""
    code = wire.code_of(answer)
    word = wire.CODES[code] if code < len(wire.CODES) else f"code {code}"
    values = [f"{_kind(kind)} {value}" for kind, _, value in records(answer)]
    return f"{word}{', ' if values else ', no answers' if not code else ''}{', '.join(values)}"


def _kind(number: int) -> str:
    return next((word for word, kind in wire.KINDS.items() if kind == number), f"TYPE{number}")


def records(answer: bytes) -> list[tuple[int, int, str]]:
    """The (type, TTL, value) of each answer; what cannot be read ends the list."""
    found = []
    asked = wire.question(answer)
    at = asked.end if asked else len(answer)
    for _ in range(int.from_bytes(answer[6:8], "big")):
        at = wire.after_name(answer, at)
        if at + 10 > len(answer):
            break
        kind, ttl, length = (int.from_bytes(answer[at + a : at + b], "big") for a, b in ((0, 2), (4, 8), (8, 10)))
        found.append((kind, ttl, _value(answer, kind, at + 10, length)))
        at += 10 + length
    return found


def _value(answer: bytes, kind: int, at: int, length: int) -> str:
    data = answer[at : at + length]
    if (kind, len(data)) in ((zones.A, 4), (zones.AAAA, 16)):
        return tables.text(data)
    if kind in (wire.KINDS["CNAME"], wire.KINDS["NS"], zones.PTR):
        return _name(answer, at) + "."
    if kind == wire.KINDS["TXT"]:
        return repr(data[1:].decode("utf-8", "replace"))
    return data.hex()


def _name(message: bytes, at: int) -> str:
    """A name that may be compressed; a malicious loop ends after as many jumps as a name can have labels."""
    labels: list[str] = []
    for _ in range(255):
        length = message[at] if at < len(message) else 0
        if length >= _RESERVED:
            at = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
        elif length == 0:
            break
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("utf-8", "replace"))
            at += 1 + length
    return ".".join(labels)
