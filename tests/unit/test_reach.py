"""Where packets end, by rules written down here; that the kernel agrees is tests/wire/test_reachability.py's matter."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from minidock.firewall import reach
from minidock.firewall.audience import Reach, Scene, reaches
from minidock.firewall.matching import Host, Packet, read, span
from minidock.firewall.ruleset import Ruleset
from minidock.model.network import Endpoint, Network, Pool
from minidock.model.ports import PortBinding
from minidock.views import reach as view

HOST = Host((("lo", ip_interface("127.0.0.1/8")), ("up0", ip_interface("198.51.100.2/24")),
             ("br0", ip_interface("172.28.0.1/16"))), localnet=frozenset(("br0",)),
            bridges=(("br0", ip_network("172.28.0.0/16")),))
ANYBODY = (span(ip_network("0.0.0.0/0")),)
CONTAINER, OWN = ip_address("172.28.0.2"), ip_address("198.51.100.2")
CALL = Packet(frozenset(("up0",)), ANYBODY, CONTAINER, "tcp", 80, 80, "br0", asked=(OWN, 8080, 8080))
BASES = {"raw PREROUTING": (0, -300), "nat PREROUTING": (0, -100), "filter INPUT": (1, 0), "filter FORWARD": (2, 0),
         "nat OUTPUT": (3, -100), "nat POSTROUTING": (4, 100)}


def ruleset(*lines: str, policy: str = "ACCEPT") -> Ruleset:
    """Rules as `-t TABLE -A CHAIN` takes them: "filter FORWARD -j DROP"; the policy is that of filter FORWARD."""
    rows = [("chain", "ip", *name.split(), name.split()[0].replace("raw", "filter"), str(hook), str(priority),
             policy if name == "filter FORWARD" else "ACCEPT") for name, (hook, priority) in BASES.items()]
    for line in lines:
        table, chain, spec = line.split(" ", 2)
        rows += [("chain", "ip", table, chain, "", "", "", "")] if f"{table} {chain}" not in BASES else []
        rows.append(("rule", "ip", table, chain, "", spec))
    return Ruleset(rows)


@pytest.mark.parametrize(("spec", "matches"), [
    ("-j DROP", True),
    ("-i up0 -o br0 -j DROP", True), ("! -i up0 -j DROP", False), ("-i up+ -j DROP", True), ("-o lo -j DROP", False),
    ("-d 172.28.0.2/32 -j DROP", True), ("! -d 172.28.0.0/16 -j DROP", False),
    ("-s 192.0.2.0/24 -j DROP", None), ("! -s 192.0.2.0/24 -j DROP", None), ("-s 0.0.0.0/0 -j DROP", True),
    ("-p tcp -m tcp --dport 80 -j DROP", True), ("-p tcp -m tcp --dport 81:90 -j DROP", False),
    ("-p udp -m udp --dport 80 -j DROP", False), ("-p tcp -m tcp --sport 1024 -j DROP", None),
    ("-p 47 -j DROP", None), ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", True),
    ("-p tcp -m tcp --tcp-flags SYN,ACK ACK -j DROP", False), ("-p icmp -m icmp --icmp-type 8 -j DROP", False),
    ("-m conntrack --ctstate RELATED,ESTABLISHED -j DROP", False), ("-m conntrack --ctstate NEW -j DROP", True),
    ("-m conntrack ! --ctstate DNAT -j DROP", False),
    ("-m conntrack --ctorigdst 198.51.100.2 --ctorigdstport 8080 --ctdir ORIGINAL -j DROP", True),
    ("-m conntrack ! --ctorigdstport 8080 -j DROP", False), ("-m conntrack --ctdir REPLY -j DROP", False),
    ("-m addrtype --dst-type LOCAL -j DROP", False), ("-m addrtype ! --src-type LOCAL -j DROP", True),
    ("<recent> -j DROP", None), ("-i lo <recent> -j DROP", False), ("-m mark --mark 0x1 -j DROP", None),
    ('-m comment --comment "-i lo" -j DROP', None),
])
def test_a_rule_holds_for_all_for_none_or_perhaps(spec: str, matches: bool | None) -> None:
    """The packet comes from anybody by up0 and goes to br0; what cannot be read is a perhaps."""
    assert read(spec, "").matches(CALL, HOST) is matches


def test_some_ports_of_a_range_are_a_perhaps() -> None:
    rule = read("-p tcp -m tcp --dport 80:89 -j DROP", "")
    spans = {(80, 89): True, (82, 85): True, (80, 90): None, (70, 80): None, (90, 99): False}
    assert {ports: rule.matches(CALL.but(first=ports[0], last=ports[1]), HOST) for ports in spans} == spans


def end_of(rules: Ruleset, **changes: object) -> reach.Answer:
    """Where a packet from outside to the container's own address ends."""
    return reach.fate(HOST, rules, CALL.but(leaves="", asked=None, **changes))


@pytest.mark.parametrize(("lines", "what", "because"), [
    ([], "delivered", ""),
    (["filter FORWARD -j DROP"], "dropped", "-A FORWARD -j DROP"),
    (["filter FORWARD -j REJECT --reject-with icmp-port-unreachable"], "dropped", "-j REJECT"),
    (["raw PREROUTING ! -i br0 -j DROP", "filter FORWARD -j ACCEPT"], "dropped", "-t raw"),
    (["filter FORWARD -j A", "filter FORWARD -j DROP", "filter A -j RETURN", "filter A -j ACCEPT"], "dropped", "DROP"),
    (["filter FORWARD -j A", "filter FORWARD -j DROP", "filter A -j ACCEPT"], "delivered", ""),
    (["filter FORWARD -g A", "filter FORWARD -j DROP", "filter A -j RETURN"], "delivered", ""),  # the policy is next
    (["filter FORWARD -s 192.0.2.0/24 -j DROP"], "some", "-s 192.0.2.0/24"),
    (["filter FORWARD -s 192.0.2.0/24 -j DROP", "filter FORWARD -j DROP"], "dropped", ""),  # all the same
    (["filter FORWARD <recent> -j DROP"], "unknown", "<recent>"),
    (["filter FORWARD <recent> -j A", "filter A -s 192.0.2.0/24 -j DROP"], "unknown", "<recent>"),
    (["filter FORWARD <TARPIT>"], "unknown", "<TARPIT>"),
    (["filter FORWARD <recent> <LOG>"], "unknown", "<recent>"),  # it may be a target, for all we know
    (["filter FORWARD -j NO", "filter NO <cmp> <log> <payload>"], "delivered", ""),
    (["filter FORWARD <immediate> <payload>"], "unknown", "<payload>"),  # writes into the packet
    (["filter FORWARD <limit> <LOG>", "filter FORWARD -j MARK --set-xmark 0x1/0x1"], "delivered", ""),
    (["filter FORWARD -j NFQUEUE --queue-num 0"], "unknown", "NFQUEUE"),
])
def test_chains_are_walked_as_the_kernel_does(lines: list[str], what: str, because: str) -> None:
    found = end_of(ruleset(*lines))
    assert found.what == what and because in found.because


def test_the_policy_decides_at_the_end() -> None:
    assert "policy of ip filter FORWARD" in end_of(ruleset(policy="DROP")).because
    assert end_of(ruleset("filter FORWARD -i up0 -j ACCEPT", policy="DROP")).what == "delivered"


def test_another_tables_drop_is_final() -> None:
    """A base chain of a stranger's, in a family whose rules have no words: drops for all, or perhaps."""
    chains = ("chain", "inet", "theirs", "f", "filter", "2", "10", "ACCEPT")
    for spec, what in (("-j DROP", "dropped"), ("<ct> -j DROP", "unknown"), ("-i lo -j DROP", "delivered")):
        assert end_of(Ruleset((chains, ("rule", "inet", "theirs", "f", "", spec)))).what == what
    frame = ("netdev", "x", "in")
    frames = Ruleset((("chain", *frame, "filter", "0", "0", "ACCEPT"), ("rule", *frame, "", "-j DROP")))
    assert end_of(frames).what == "unknown"  # it is for one device, we do not know which


@pytest.mark.parametrize(("target", "first", "last", "place"), [
    ("172.28.0.2:80", 8080, 8080, ("172.28.0.2", 80)), ("172.28.0.3", 8080, 8080, ("172.28.0.3", 8080)),
    ("172.28.0.2:7000-7009/9000", 9003, 9005, ("172.28.0.2", 7003)),
])
def test_translation(target: str, first: int, last: int, place: tuple[str, int]) -> None:
    rules = ruleset(f"nat PREROUTING -j DNAT --to-destination {target}")
    found = end_of(rules, destination=OWN, first=first, last=last)
    assert (found.what, found.place) == ("delivered", (ip_address(place[0]), place[1]))


@pytest.mark.parametrize("target", ["172.28.0.2-172.28.0.9:80", "172.28.0.2:80-90", "172.28.0.2:80 --random"])
def test_what_the_kernel_chooses_is_unknown(target: str) -> None:
    assert end_of(ruleset(f"nat PREROUTING -j DNAT --to-destination {target}"), destination=OWN).what == "unknown"


def test_routing() -> None:
    none = ruleset()
    assert end_of(none, destination=OWN).what == "local"
    assert end_of(none, destination=ip_address("203.0.113.10")).what == "elsewhere"
    assert "127.0.0.1" in end_of(none, destination=ip_address("127.0.0.1")).because
    assert end_of(none, destination=ip_address("127.0.0.1"), devices=frozenset(("br0",))).what == "local"
    assert reach.fate(HOST.but(forwards=frozenset()), none, CALL).because == "forwarding of IPv4 is off"
    bridged = CALL.but(devices=frozenset(("br0",)), asked=None)
    closed = ruleset(policy="DROP")
    assert reach.fate(HOST, closed, bridged).what == "dropped"
    assert reach.fate(HOST.but(bridged=frozenset()), closed, bridged).what == "delivered"


def test_an_answer_that_misses_the_asker() -> None:
    """A neighbour on the bridge, bridge-nf-call-iptables=0: only a translated source brings the answer back."""
    here, there = "nat PREROUTING -j DNAT --to-destination 172.28.0.2:80", "nat POSTROUTING -j MASQUERADE"
    call = CALL.but(devices=frozenset(("br0",)), destination=OWN, leaves="", asked=None)
    unseen = HOST.but(bridged=frozenset())
    assert "bridge-nf-call-iptables=0" in reach.fate(unseen, ruleset(here), call).because
    assert reach.fate(unseen, ruleset(here, there), call).what == "delivered"
    loop = reach.made_here(HOST, ip_address("127.0.0.1"), "tcp", 8080, 8080)
    out = here.replace("PREROUTING", "OUTPUT")
    assert "route_localnet" in reach.fate(HOST, ruleset(out), loop).because
    assert reach.fate(HOST, ruleset(out, there), loop).what == "delivered"
    assert "route_localnet" in reach.fate(HOST.but(localnet=frozenset()), ruleset(out, there), loop).because


WEB = PortBinding("tcp", ip_address("0.0.0.0"), 8080, CONTAINER, 80)
GAME = PortBinding("udp", ip_address("::"), 5000, ip_address("fd00::2"), 53, 3)


def test_a_relayed_port_is_reached_as_input_decides() -> None:
    """From the host's IPv6 address to an IPv4 container no rule leads: a program of ours on the host answers there."""
    relayed = PortBinding("tcp", ip_address("::"), 8080, CONTAINER, 80, carried=True)
    pool = Pool(ip_network("172.28.0.0/16"), None, ip_address("172.28.0.1"))
    network = Network("0" * 64, "br0", "bridge", "", (pool,), (("com.docker.network.bridge.name", "br0"),))
    end = Endpoint("1" * 64, network.id, "2" * 64, "", "", "", "", "", None, None, (relayed,))
    host = HOST.but(interfaces=(*HOST.interfaces, ("up0", ip_interface("fe80::2/64"))))
    closed = Ruleset((("chain", "ip6", "filter", "INPUT", "filter", "1", "0", "ACCEPT"),
                      ("rule", "ip6", "filter", "INPUT", "", "-i up0 -p tcp -m tcp --dport 8080 -j DROP")))
    for rules, reached in ((Ruleset(()), "yes"), (closed, "no")):
        found = {one.who: one.reached for one in reaches(Scene(host, rules, (network,)), network, end)}
        assert found == {"host": "yes", "neighbours": reached}
    alone = Scene(HOST, Ruleset(()), (network,))  # a host whose only IPv6 address is ::1
    assert [one.who for one in reaches(alone, network, end)] == ["host"]


def told(host: str, *others: str, because: str = "R", binding: PortBinding = WEB) -> list[Reach]:
    whos = ("host", "neighbours", "networks", "network", "itself")
    return [Reach(binding, "br0", who, said, because if said != "yes" else "")
            for who, said in zip(whos, (host, *others), strict=False)]


@pytest.mark.parametrize(("found", "sentence"), [
    (told("yes", "yes", "yes", "yes", "yes"), "reached by this host, its neighbours, all containers"),
    (told("yes", "no", "no", "no", "no"), "reached by this host only"),
    (told("yes", "no", "yes", "no", "no"),
     "reached by this host, containers of other networks; not by its neighbours, containers of br0"),
    (told("no", "no"), "reached by nobody: R"),
    (told("partly", "yes", because="not at ::1: R"), "reached by this host (not at ::1), its neighbours"),
    (told("yes", "some", "no"),
     "reached by this host; by some of its neighbours, because of R; not by containers of other networks"),
    (told("yes", "unknown", "unknown", "unknown", "unknown"),
     "reached by this host; unknown for its neighbours, all containers, because of R"),
])
def test_the_line_after_run(found: list[Reach], sentence: str) -> None:
    assert view.lines(found) == [f"0.0.0.0:8080->80/tcp: {sentence}"]


def test_ports_that_the_same_people_reach_share_a_line() -> None:
    both = [*told("yes", "no"), *told("yes", "no", binding=GAME)]
    assert view.lines(both) == ["0.0.0.0:8080->80/tcp, [::]:5000-5002->53-55/udp: reached by this host only"]
    assert view.objects(both)[3] == {"Port": "53-55/udp", "HostIp": "::", "HostPort": "5000-5002", "From": "neighbours",
                                     "Network": "br0", "Reached": "no", "Because": "R"}
    assert view.whole([*told("yes", "no", "no")]).splitlines() == [
        "PORT                   FROM                           REACHED   BECAUSE",
        "0.0.0.0:8080->80/tcp   this host                      yes",
        "                       its neighbours                 no        R",
        "                       containers of other networks   no        the same"]
