"""What every sandbox has, whatever its networks: a namespace, its loopback, Docker's sysctls."""

from __future__ import annotations

from minidock.model.container import Container
from minidock.model.firewall import END, Chain, Rule
from minidock.model.network import Facts
from minidock.objects import Netns, Plan, RuleSet, Sysctl, Up


def sandbox(container: Container, facts: Facts) -> Plan:
    """The sandbox of a container; in host mode there is none."""
    name = container.netns
    if not name:
        return ()
    pings = () if facts.user_namespace else (
        Sysctl(netns=name, key="net.ipv4.ping_group_range", value="0 2147483647",
               why="Anybody in the container may ping without privileges."),)
    return (
        Netns(name=name, why="The container's own network stack; `ip -n` and `ip netns exec` work on it."),
        Up(netns=name, dev="lo", why="A new namespace's loopback is down; 127.0.0.1 needs it."),
        Sysctl(netns=name, key="net.ipv4.ip_unprivileged_port_start", value="0",
               why="Anybody in the container may listen on port 80."),
        *pings,
    )


_RESOLVER = "127.0.0.11"


def name_service(container: Container, port: int) -> Plan:
    """127.0.0.11:53 inside leads to the name server's real port, and its answers come from 53 again."""
    owner = f"{container.scope}/names"
    out, back = "MINIDOCK_OUTPUT", "MINIDOCK_POSTROUTING"

    def rule(chain: str, spec: str, note: str, why: str) -> Rule:
        return Rule(4, "nat", chain, END, spec, owner, note, why)

    each = [(proto, f"-d {_RESOLVER}/32 -p {proto} -m {proto} --dport 53 -j DNAT --to-destination {_RESOLVER}:{port}",
             f"-s {_RESOLVER}/32 -p {proto} -m {proto} --sport {port} -j SNAT --to-source :53")
            for proto in ("tcp", "udp")]
    rules = (
        rule("OUTPUT", f"-d {_RESOLVER}/32 -j {out}", "questions", "Questions to the name server, and nothing else."),
        rule("POSTROUTING", f"-d {_RESOLVER}/32 -j {back}", "answers", "What goes to the resolver's own address."),
        *(rule(out, asked, f"{proto} in", "Port 53 leads to where the server listens.") for proto, asked, _ in each),
        *(rule(back, told, f"{proto} out", "Its own words come from port 53.") for proto, _, told in each),
    )
    return (RuleSet(netns=container.netns, chains=(Chain(4, "nat", out), Chain(4, "nat", back)), policies=(),
                    rules=rules, why="Programs ask 127.0.0.11 port 53; the name server listens on another port, so"
                                     " that 53 stays free for the container."),)
