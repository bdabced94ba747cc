"""Rules over netlink are the rules the real iptables writes, in namespaces of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minidock.kernel import iptables, nft
from minidock.kernel.netlink import DUMP, NetlinkSocket, attributes
from minidock.kernel.nft_read import GETRULE, header
from minidock.model.firewall import Chain, Rule
from tests.kernel.nft_stage import bare, fresh_namespaces, rule, sh, spoken, succeeds

CORPUS = (Path(__file__).parent.parent / "golden" / "iptables-corpus.txt").read_text().splitlines()


@pytest.fixture
def fresh() -> Iterator[Callable[[], NetlinkSocket]]:
    with fresh_namespaces() as enter:
        yield enter


@pytest.fixture
def sock(fresh: Callable[[], NetlinkSocket]) -> NetlinkSocket:
    return fresh()


def corpus() -> list[Rule]:
    rows = [line.split(" ", 3) for line in CORPUS]
    return [
        rule(spec, chain, table, family=int(family), note=f"rule {number}")
        for number, (family, table, chain, spec) in enumerate(rows)
    ]


def corpus_chains() -> list[Chain]:
    words = {word for line in CORPUS for word in line.split() if word.startswith("MINIDOCK")}
    return [
        Chain(family, table, name)
        for family in (4, 6)
        for table in ("filter", "nat")
        for name in sorted(words)
    ]


def dumped(sock: NetlinkSocket) -> list[tuple[int, bytes, bytes, bytes]]:
    rows = []
    for family in (2, 10):
        for _, body in sock.ask(GETRULE, DUMP, header(family)):
            found = attributes(body, 4)
            rows.append((family, found[1], found[2], found[4]))
    return sorted(rows, key=lambda row: row[:3])


def saved() -> list[str]:
    text = sh("iptables-save") + sh("ip6tables-save")
    lines = [
        re.sub(r' -m comment --comment "[^"]*"', "", line) for line in text.splitlines() if line[0] != "#"
    ]
    return sorted(line for line in lines if line[0] == ":") + [line for line in lines if line[0] != ":"]


def test_every_rule_is_byte_for_byte_what_iptables_writes(fresh: Callable[[], NetlinkSocket]) -> None:
    theirs = fresh()
    for chain in corpus_chains():
        sh(f"{iptables.program(chain.family)} -t {chain.table} -N {chain.name}")
    for item in corpus():
        sh(bare(item))
    expected, expected_text = dumped(theirs), saved()
    ours = fresh()
    assert dumped(ours) == []
    nft.apply(ours, corpus_chains(), [], corpus())
    for got, wanted in zip(dumped(ours), expected, strict=True):
        assert got == wanted
    assert len(expected) == len(CORPUS)
    assert Counter(saved()) == Counter(expected_text)
    assert [line for line in saved() if line[0] == "-"] == [line for line in expected_text if line[0] == "-"]


def test_iptables_finds_and_deletes_every_rule_of_ours(sock: NetlinkSocket) -> None:
    nft.apply(sock, corpus_chains(), [], corpus())
    for item in corpus():
        check = iptables.command(item).replace(" -A ", " -C ", 1)
        assert succeeds(check), check
        sh(check.replace(" -C ", " -D ", 1))
        assert not succeeds(check)
    assert dumped(sock) == []


def test_owned_rules_have_the_words_they_were_made_of(sock: NetlinkSocket) -> None:
    handles = nft.apply(sock, corpus_chains(), [], corpus())
    found = {own.comment: own for own in nft.owned(sock)}
    assert len(found) == len(CORPUS)
    for item, handle in zip(corpus(), handles, strict=True):
        own = found[item.comment]
        assert (own.family, own.table, own.chain, own.spec, own.handle) == (
            item.family,
            item.table,
            item.chain,
            item.spec,
            handle,
        )


BASES = {
    "filter": ["INPUT", "FORWARD", "OUTPUT"],
    "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
    "raw": ["PREROUTING", "OUTPUT"],
    "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
}


def test_tables_and_base_chains_are_made_as_iptables_makes_them(fresh: Callable[[], NetlinkSocket]) -> None:
    wanted = [
        rule("-p udp", chain, table, family=family)
        for family in (4, 6)
        for table, chains in BASES.items()
        for chain in chains
    ]
    fresh()
    for item in wanted:
        sh(bare(item))
    theirs = sh("nft list ruleset")
    ours = fresh()
    nft.apply(ours, [], [], wanted)
    assert re.sub(r' comment "[^"]*"', "", sh("nft list ruleset")) == theirs
    assert theirs.count("type ") == 28


def test_only_what_is_needed_is_made_and_reading_makes_nothing(sock: NetlinkSocket) -> None:
    assert nft.everything(sock) == ()
    assert nft.owned(sock) == []
    assert nft.policy(sock, 4, "filter", "FORWARD") is None
    assert sh("nft list ruleset") == ""
    nft.apply(sock, [], [], [rule("-j ACCEPT")])
    assert [row[:4] for row in nft.everything(sock)] == [
        ("table", "ip", "filter"),
        ("chain", "ip", "filter", "FORWARD"),
        ("rule", "ip", "filter", "FORWARD"),
    ]


def test_what_has_no_words_is_shown_and_compared_by_its_bytes(sock: NetlinkSocket) -> None:
    sh("iptables -A FORWARD -m limit --limit 3/min -j ACCEPT")
    (first,) = spoken(sock)
    assert first.startswith("<limit> -j ACCEPT ")
    sh("iptables -F FORWARD; iptables -A FORWARD -m limit --limit 4/min -j ACCEPT")
    assert spoken(sock) != [first]
    sh("iptables -F FORWARD; iptables -A FORWARD -m limit --limit 3/min -j ACCEPT")
    assert spoken(sock) == [first]


def test_native_tables_are_seen_and_left_alone(sock: NetlinkSocket) -> None:
    sh(
        "nft 'add table inet own; add chain inet own c { type filter hook forward priority 5; policy drop; };"
        ' add rule inet own c ip saddr 10.0.0.1 tcp dport 80 counter accept comment "minidock:not ours"\''
    )
    before = nft.everything(sock)
    assert ("chain", "inet", "own", "c", "filter", "2", "5", "DROP") in before
    assert nft.owned(sock) == []
    nft.replace(sock, [])
    assert nft.everything(sock) == before


def test_user_data_of_iptables_own_comment_length_is_kept(sock: NetlinkSocket) -> None:
    long = rule("-i a", note="x" * 100)
    nft.apply(sock, [], [], [long])
    assert [own.comment for own in nft.owned(sock)] == [long.comment]
    assert succeeds(iptables.command(long).replace(" -A ", " -C "))
