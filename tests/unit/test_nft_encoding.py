"""iptables' words to expressions and back, without a kernel."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidock.kernel import iptables
from minidock.kernel.iptables_decode import expression_list
from minidock.kernel.netlink import attribute
from minidock.model.firewall import END, TOP, Rule

CORPUS = (Path(__file__).parent.parent / "golden" / "iptables-corpus.txt").read_text().splitlines()


def rule(spec: str, family: int = 4, table: str = "filter", chain: str = "FORWARD", at: str = END) -> Rule:
    return Rule(family, table, chain, at, spec, "network/0123456789ab", "a note", "")


def corpus_rule(line: str) -> Rule:
    family, table, chain, spec = line.split(" ", 3)
    return rule(spec, int(family), table, chain)


def test_the_corpus_has_docker_s_vocabulary_and_both_families() -> None:
    assert len(CORPUS) >= 60
    assert {line[0] for line in CORPUS} == {"4", "6"}


@pytest.mark.parametrize("line", CORPUS)
def test_what_is_encoded_is_read_back_in_the_same_words(line: str) -> None:
    subject = corpus_rule(line)
    expressions, _ = iptables.compile(subject)
    assert iptables.decode(subject.family, expressions) == (subject.spec, 0, 0)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("-p tcp --dport 80 -j ACCEPT", "-p tcp -m tcp --dport 80 -j ACCEPT"),
        ("-o b -i a -d 10.0.0.1 -j DROP", "-d 10.0.0.1/32 -i a -o b -j DROP"),
        ("-s 10.1.2.3/8 -j DROP", "-s 10.0.0.0/8 -j DROP"),
        ("-s 0.0.0.0/0 -j DROP", "-j DROP"),
        ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
        ("-j MARK --set-xmark 16", "-j MARK --set-xmark 0x10/0xffffffff"),
        ("-m mark --mark 5/0xffffffff -j DROP", "-m mark --mark 0x5 -j DROP"),
        ("-p tcp --dport 5 --sport 6 -j DROP", "-p tcp -m tcp --sport 6 --dport 5 -j DROP"),
        ("-p 6 -j DROP", "-p tcp -j DROP"),
    ],
)
def test_other_ways_to_say_it_come_back_as_iptables_prints_them(typed: str, canonical: str) -> None:
    expressions, _ = iptables.compile(rule(typed))
    assert iptables.decode(4, expressions)[0] == canonical


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("-p tcp -m tcp --dprot 80 -j ACCEPT", "--dprot"),
        ("-m limit --limit 3/min -j ACCEPT", "-m limit"),
        ("-m addrtype --dst-type NOWHERE -j ACCEPT", "NOWHERE"),
        ("-m conntrack --ctstate OLD -j ACCEPT", "OLD"),
        ("-m conntrack --ctstatus SNAT -j ACCEPT", "--ctstatus"),
        ("-p nonsense -j ACCEPT", "nonsense"),
        ("--dport 80 -j ACCEPT", "--dport"),
        ("-j ACCEPT --loudly", "--loudly"),
        ("-j MINIDOCK --loudly", "--loudly"),
        ("-j DNAT --to-source 1.2.3.4", "--to-source"),
        ("-j REJECT --reject-with icmp6-no-route", "icmp6-no-route"),
        ("-j ACCEPT -j DROP", "DROP"),
        ("-f -j ACCEPT", "-f"),
        ("-x y -j ACCEPT", "-x"),
        ("-s 10.0.0.1 -s 10.0.0.2 -j ACCEPT", "10.0.0.2"),
        ("stray -j ACCEPT", "stray"),
        ("-j ACCEPT !", "!"),
        ("-m tcp ! -j ACCEPT", "-j"),
    ],
)
def test_a_word_that_is_not_understood_is_named(spec: str, word: str) -> None:
    with pytest.raises(ValueError, match="not understood") as caught:
        iptables.compile(rule(spec))
    assert word in str(caught.value)


def test_an_expression_without_words_is_shown_and_not_dropped() -> None:
    known, _ = iptables.compile(rule("-i br0 -j ACCEPT"))
    assert iptables.decode(4, known)[0] == "-i br0 -j ACCEPT"
    limit = attribute(1, attribute(1, b"limit\0") + attribute(2, b""))
    assert iptables.decode(4, limit + known)[0] == "-i br0 <limit> -j ACCEPT"


def test_a_load_nobody_compares_is_shown() -> None:
    known, _ = iptables.compile(rule("-i br0 -j ACCEPT"))
    load = known[: struct.unpack_from("=H", known)[0]]
    assert expression_list(load)[0][0] == "meta"
    assert iptables.decode(4, known + load)[0] == "-i br0 <meta> -j ACCEPT"


@pytest.mark.parametrize(
    ("before", "after"), [(b"\0\0\0\x02", b"\0\0\0\x03"), (b"\x01\0\0\0", b"\x11\0\0\0")]
)
def test_an_extension_that_says_more_than_our_words_is_shown_by_name(before: bytes, after: bytes) -> None:
    """A later revision of DNAT, or a flag of it that has no word here."""
    known, _ = iptables.compile(rule("-j DNAT --to-destination 172.28.0.2"))
    assert "to-destination" in iptables.decode(4, known)[0]
    place = known.index(b"DNAT")
    changed = known[:place] + known[place:].replace(before, after, 1)
    assert changed != known
    spec, _, _ = iptables.decode(4, changed)
    assert spec == ("<DNAT>" if before[3] else "-j DNAT --to-destination 172.28.0.2 --random-fully")


def test_counters_are_read() -> None:
    expressions, _ = iptables.compile(rule("-j ACCEPT"))
    zeros = attribute(1, bytes(8)) + attribute(2, bytes(8))
    assert zeros in expressions
    counts = attribute(1, struct.pack(">Q", 840)) + attribute(2, struct.pack(">Q", 10))
    counted = expressions.replace(zeros, counts)
    assert iptables.decode(4, counted) == ("-j ACCEPT", 10, 840)


def test_the_command_is_what_a_person_would_type() -> None:
    assert iptables.command(rule("-i br0 -j ACCEPT", at=TOP)) == (
        'iptables -t filter -I FORWARD -i br0 -m comment --comment "minidock:network/0123456789ab a note" -j ACCEPT'
    )
    assert iptables.command(rule("-p gre", family=6)) == (
        'ip6tables -t filter -A FORWARD -p gre -m comment --comment "minidock:network/0123456789ab a note"'
    )


def test_pyroute2_encodes_a_dnat_rule_to_the_same_bytes() -> None:
    subject = rule("-p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.28.0.2:80", table="nat")
    expressions, compat = iptables.compile(subject)
    assert compat is not None
    ours = (
        attribute(1, b"nat\0") + attribute(2, b"FORWARD\0") + attribute(4, expressions) + attribute(5, compat)
    )
    assert pyroute2_dnat_rule() == ours


def pyroute2_dnat_rule() -> bytes:
    """The attributes of the same rule as pyroute2's message classes encode them, nesting flags taken off."""
    from pyroute2.netlink.nfnetlink.nftsocket import nft_rule_msg

    info = (
        struct.pack("=I", 3) + bytes((172, 28, 0, 2)).ljust(16, b"\0") * 2 + struct.pack(">HHH6x", 80, 80, 0)
    )
    message = nft_rule_msg()
    message["nfgen_family"] = 2
    message["attrs"] = [
        ("NFTA_RULE_TABLE", "nat"),
        ("NFTA_RULE_CHAIN", "FORWARD"),
        (
            "NFTA_RULE_EXPRESSIONS",
            [
                {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": data})]}
                for name, data in dnat_expressions(info)
            ],
        ),
        ("NFTA_RULE_COMPAT", attribute(1, struct.pack(">I", 6)) + attribute(2, struct.pack(">I", 0))),
    ]
    message.encode()
    return without_nesting_flags(bytes(message.data)[20 : message["header"]["length"]])


def dnat_expressions(info: bytes) -> list[tuple[str, list[tuple[str, object]]]]:
    def value(data: bytes) -> dict[str, object]:
        return {"attrs": [("NFTA_DATA_VALUE", data)]}

    def compared(data: bytes) -> list[tuple[str, object]]:
        return [("NFTA_CMP_SREG", 1), ("NFTA_CMP_OP", 0), ("NFTA_CMP_DATA", value(data))]

    port = [
        ("NFTA_PAYLOAD_DREG", 1),
        ("NFTA_PAYLOAD_BASE", 2),
        ("NFTA_PAYLOAD_OFFSET", 2),
        ("NFTA_PAYLOAD_LEN", 2),
    ]
    target = [("NFTA_TARGET_NAME", "DNAT"), ("NFTA_TARGET_REV", 2), ("NFTA_TARGET_INFO", info)]
    return [
        ("meta", [("NFTA_META_KEY", 16), ("NFTA_META_DREG", 1)]),
        ("cmp", compared(b"\x06")),
        ("payload", port),
        ("cmp", compared(struct.pack(">H", 8080))),
        ("counter", [("NFTA_COUNTER_BYTES", 0), ("NFTA_COUNTER_PACKETS", 0)]),
        ("target", target),
    ]


def without_nesting_flags(data: bytes) -> bytes:
    """The same attributes with NLA_F_NESTED cleared, at every depth."""
    parts, start = [], 0
    while start + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, start)
        inside = data[start + 4 : start + length]
        parts.append(attribute(kind & 0x3FFF, without_nesting_flags(inside) if kind & 0x8000 else inside))
        start += (length + 3) & ~3
    return b"".join(parts)


def maybe(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | words | words.map(lambda text: f"! {text}")


interfaces = st.sampled_from(["lo", "br-0123456789ab", "veth+"])
octets = st.integers(0, 255)
networks = st.tuples(octets, octets, octets, octets, st.integers(1, 32)).map(
    lambda five: (int.from_bytes(bytes(five[:4]), "big") >> (32 - five[4]) << (32 - five[4]), five[4])
)
addresses = networks.map(lambda pair: f"{'.'.join(map(str, pair[0].to_bytes(4, 'big')))}/{pair[1]}")
ports = st.integers(0, 65535)
spans = ports.map(str) | st.tuples(ports, ports).filter(lambda two: two[0] < two[1]).map(
    "{0[0]}:{0[1]}".format
)
states = st.sets(st.sampled_from(["INVALID", "NEW", "RELATED", "ESTABLISHED"]), min_size=1).map(
    lambda some: ",".join(name for name in ("INVALID", "NEW", "RELATED", "ESTABLISHED") if name in some)
)


@settings(max_examples=150, deadline=None)
@given(
    maybe(addresses.map("-s {}".format)),
    maybe(addresses.map("-d {}".format)),
    maybe(interfaces.map("-i {}".format)),
    maybe(interfaces.map("-o {}".format)),
    st.sampled_from(["tcp", "udp", "sctp"]),
    spans,
    st.booleans(),
    maybe(states.map("--ctstate {}".format)),
    st.sampled_from(["-j ACCEPT", "-j MASQUERADE", "-j MINIDOCK", "-g MINIDOCK-USER"]),
)
def test_any_rule_of_our_vocabulary_is_read_back(
    s: str, d: str, i: str, o: str, proto: str, span: str, negated: bool, state: str, target: str
) -> None:
    words = [s, d, i, o, f"-p {proto} -m {proto} {'! ' * negated}--dport {span}"]
    words += [f"-m conntrack {state}" if state else "", target]
    spec = " ".join(word for word in words if word)
    expressions, _ = iptables.compile(rule(spec))
    assert iptables.decode(4, expressions)[0] == spec
