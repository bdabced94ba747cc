"""What `minidock dns query` and `trace` make of their arguments."""

from __future__ import annotations

import pytest

from minidock.cli.dns import _question
from minidock.dns import trace, wire
from minidock.errors import BadRequest


@pytest.mark.parametrize(("name", "kind", "expected"), [
    ("web", "a", ("web", 1)), ("web", "AAAA", ("web", 28)), ("web", "99", ("web", 99)),
    ("172.28.0.3", "A", ("3.0.28.172.in-addr.arpa", 12)),
    ("fd00::2", "A", (f"2.{'0.' * 27}0.0.d.f.ip6.arpa", 12))])
def test_a_question_is_understood(name: str, kind: str, expected: tuple[str, int]) -> None:
    """Types by name or number; an address is asked backwards."""
    assert _question(name, kind) == expected


@pytest.mark.parametrize(("name", "kind", "words"), [
    ("web", "NOPE", "NOPE is not a type"), ("web", "65536", "65536 is not a type"), ("a..b", "A", "not a domain name"),
    ("x" * 64, "A", "not a domain name")])
def test_nonsense_is_refused(name: str, kind: str, words: str) -> None:
    """In words."""
    with pytest.raises(BadRequest, match=words):
        _question(name, kind)


def test_answers_of_strangers_are_read() -> None:
    """Compressed names, unknown types, and a name that points at itself."""
    query = wire.query("www.example.org", 1, 5)
    pointer = (12 + 4).to_bytes(1, "big")  # example.org within the question
    answers = (wire.record(5, 60, b"\3cdn\xc0" + pointer) + wire.record(1, 60, bytes((192, 0, 2, 1)))
               + wire.record(99, 60, b"\1\2"))
    itself = len(query) + len(answers) + 12
    answers += wire.record(12, 60, bytes((0xC0, itself)))
    message = wire.reply(query, len(query), answers, 4)
    assert [(kind, value) for kind, _, value in trace.records(message)] == [
        (5, "cdn.example.org."), (1, "192.0.2.1"), (99, "0102"), (12, ".")]
    assert trace.told(message) == "NOERROR, CNAME cdn.example.org., A 192.0.2.1, TYPE99 0102, PTR ."
    for cut in range(12, len(message)):
        trace.told(message[:cut])  # cut anywhere: read as far as it goes
