"""The iptables rules of the bridge driver, laid out as Docker Engine 29 lays out its own without docker-proxy.

    FORWARD          -> MINIDOCK-USER, MINIDOCK-FORWARD        (the user's chain first)
    MINIDOCK-FORWARD -> MINIDOCK-CT, MINIDOCK-INTERNAL, MINIDOCK-BRIDGE, then per network: what leaves it
    MINIDOCK-BRIDGE  -> per network: what enters it goes through MINIDOCK

Pure: the same network, the same rules. Source: moby daemon/libnetwork/drivers/bridge/internal/iptabler.
"""

from __future__ import annotations

from minidock.model.firewall import END, TOP, Chain, Rule
from minidock.model.network import Endpoint, Network
from minidock.model.ports import Address

FILTER_CHAINS = ("MINIDOCK", "MINIDOCK-BRIDGE", "MINIDOCK-CT", "MINIDOCK-FORWARD", "MINIDOCK-INTERNAL",
                 "MINIDOCK-USER")
_HOST = "host"
GATEWAY_MODES = ("nat", "nat-unprotected", "routed", "isolated")
# 1: iptables (ip6tables) sees frames between ports of one bridge
BRIDGE_NETFILTER = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}


def host_chains(families: tuple[int, ...]) -> tuple[Chain, ...]:
    """The chains all networks share."""
    return tuple(
        Chain(family, table, name, kept=name == "MINIDOCK-USER")
        for family in families
        for table, names in (("filter", FILTER_CHAINS), ("nat", ("MINIDOCK",)))
        for name in names
    )


def host_rules(families: tuple[int, ...]) -> tuple[Rule, ...]:
    """The jumps into our chains."""
    return tuple(rule for family in families for rule in _host_rules(family))


def _host_rules(family: int) -> tuple[Rule, ...]:
    def rule(place: str, at: str, spec: str, note: str, why: str) -> Rule:
        table, chain = place.split()
        return Rule(family, table, chain, at, spec, _HOST, note, why)

    return (
        rule("filter MINIDOCK-FORWARD", END, "-j MINIDOCK-CT", "replies first",
             "Answers to connections already allowed pass before anything else is asked."),
        rule("filter MINIDOCK-FORWARD", END, "-j MINIDOCK-INTERNAL", "internal networks",
             "Internal networks are cut off before any other rule could let them out."),
        rule("filter MINIDOCK-FORWARD", END, "-j MINIDOCK-BRIDGE", "into bridges",
             "What enters a bridge network is judged by that network's own rules."),
        rule("filter FORWARD", TOP, "-j MINIDOCK-FORWARD", "to our chains",
             "Every forwarded packet visits our chains."),
        rule("filter FORWARD", TOP, "-j MINIDOCK-USER", "the user first",
             "Your own rules in MINIDOCK-USER are asked before ours; minidock never touches them."),
        rule("nat PREROUTING", END, "-m addrtype --dst-type LOCAL -j MINIDOCK", "published ports",
             "Packets from outside for one of this host's addresses may be for a published port."),
        rule("nat OUTPUT", END, "-m addrtype --dst-type LOCAL -j MINIDOCK", "published ports from here",
             "The host's own packets for its addresses may be for a published port too."),
    )


def network_rules(network: Network) -> tuple[Rule, ...]:
    """The rules of one network, family by family, in the order Docker adds them."""
    rules = _internal_rules if network.internal else _open_rules
    return tuple(rule for version in network.families for rule in rules(network, version))


def icc(network: Network) -> bool:
    """May the network's containers talk to each other?"""
    return truth(network.option("bridge.enable_icc", "true"))


def masquerade(network: Network) -> bool:
    """Do its packets take the host's address when they leave?"""
    return truth(network.option("bridge.enable_ip_masquerade", "true"))


def gateway_mode(network: Network, version: int = 4) -> str:
    """How its containers are reached from outside: nat, nat-unprotected, routed, or (internal only) isolated."""
    return network.option(f"bridge.gateway_mode_ipv{version}", "nat")


def truth(text: str) -> bool:
    """Go's strconv.ParseBool; ValueError for anything else."""
    words = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)
    words.update(dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False))
    if text not in words:
        raise ValueError(text)
    return words[text]


def subnet_of(network: Network, version: int) -> str:
    """The subnet of a family, as rules name it."""
    pool = network.pool(version)
    assert pool is not None
    return str(pool.subnet)


class _Pen:
    """Writes rules of one family of one network."""

    def __init__(self, network: Network, version: int) -> None:
        self.network, self.version = network, version
        self.bridge, self.subnet = network.device, subnet_of(network, version)
        self.mode = gateway_mode(network, version)

    def __call__(self, place: str, at: str, spec: str, note: str, why: str) -> Rule:
        table, chain = place.split()
        return Rule(self.version, table, chain, at, spec, self.network.scope, note, why)


def _open_rules(network: Network, version: int) -> tuple[Rule, ...]:
    rule = _Pen(network, version)
    return (
        *_nat_rules(rule),
        *_entering_rules(rule),
        rule("filter MINIDOCK-CT", END, f"-o {rule.bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
             "replies", "Answers to what a container asked come back in."),
        rule("filter MINIDOCK-BRIDGE", END, f"-o {rule.bridge} -j MINIDOCK", "into the bridge",
             "What goes into this bridge is judged by the chain MINIDOCK."),
        *_leaving_rules(rule),
    )


def _entering_rules(rule: _Pen) -> tuple[Rule, ...]:
    strangers = f"! -i {rule.bridge} -o {rule.bridge}"
    if rule.mode == "nat-unprotected":
        return (rule("filter MINIDOCK", END, f"{strangers} -j ACCEPT", "all ports are open",
                     "gateway_mode nat-unprotected: whoever has a route to a container reaches all its ports."),)
    protocol = "icmp" if rule.version == 4 else "ipv6-icmp"
    pings = rule("filter MINIDOCK", END, f"-o {rule.bridge} -p {protocol} -j ACCEPT", "pings",
                 "gateway_mode routed: containers are reached without NAT, and may be pinged.")
    closed = rule("filter MINIDOCK", END, f"{strangers} -j DROP", "unpublished ports",
                  "Nobody outside reaches a container unless a port is published.")
    return (pings, closed) if rule.mode == "routed" else (closed,)


def _nat_rules(rule: _Pen) -> tuple[Rule, ...]:
    address = rule.network.option(f"host_ipv{rule.version}")
    target = f"SNAT --to-source {address}" if address else "MASQUERADE"
    outbound = rule("nat POSTROUTING", TOP, f"-s {rule.subnet} ! -o {rule.bridge} -j {target}", "outbound masquerade",
                    f"Leaving by any other door than {rule.bridge}, packets of {rule.subnet} take "
                    + (f"the address {address} (host_ipv{rule.version})." if address else "that door's address."))
    return (
        *((outbound,) if masquerade(rule.network) and rule.mode != "routed" else ()),
        rule("nat POSTROUTING", TOP, f"-o {rule.bridge} -m addrtype --src-type LOCAL -j {target}",
             "host to containers", "What the host itself sends to a container (a published port on 127.0.0.1)"
             " gets an address the container can answer."),
    )


def _leaving_rules(rule: _Pen) -> tuple[Rule, ...]:
    bridge, chain = rule.bridge, "filter MINIDOCK-FORWARD"
    if icc(rule.network):
        return (rule(chain, END, f"-i {bridge} -j ACCEPT", "leaving the bridge",
                     "Containers may send to anywhere, and to each other."),)
    return (
        rule(chain, END, f"-i {bridge} -o {bridge} -j DROP", "no talk among containers",
             "enable_icc=false: containers of this network may not reach each other."),
        rule(chain, END, f"-i {bridge} ! -o {bridge} -j ACCEPT", "leaving the bridge",
             "They may send to anywhere else."),
    )


def _internal_rules(network: Network, version: int) -> tuple[Rule, ...]:
    """In IPv6 neighbours also talk from link-local addresses: what stays in the bridge is not asked for its subnet."""
    rule = _Pen(network, version)
    bridge, subnet, verdict = rule.bridge, rule.subnet, "ACCEPT" if icc(network) else "DROP"
    out, back = ("", "") if version == 4 else (f" ! -o {bridge}", f"! -i {bridge} ")
    return (
        rule("filter MINIDOCK-INTERNAL", TOP, f"! -d {subnet} -i {bridge}{out} -j DROP", "no way out",
             "An internal network sends nothing outside its subnet."),
        rule("filter MINIDOCK-INTERNAL", TOP, f"! -s {subnet} {back}-o {bridge} -j DROP", "no way in",
             "Nothing from outside its subnet comes in."),
        rule("filter MINIDOCK-FORWARD", END, f"-i {bridge} -o {bridge} -j {verdict}", "among containers",
             "Containers of the internal network may reach each other." if icc(network) else
             "enable_icc=false: containers of this network may not reach each other."),
    )


def endpoint_rules(network: Network, endpoint: Endpoint) -> tuple[Rule, ...]:
    """The rules of one endpoint: its addresses are reached through NAT only, never by a foreign route to them."""
    if network.internal:
        return ()
    return tuple(rule for one in endpoint.interfaces if gateway_mode(network, one.version) == "nat"
                 for rule in _no_direct_access(network, endpoint, one.ip))


def _no_direct_access(network: Network, endpoint: Endpoint, address: Address) -> tuple[Rule, ...]:
    target = f"-d {address}/{address.max_prefixlen}"
    trusted = filter(None, network.option("bridge.trusted_host_interfaces").split(":"))
    return (
        *(Rule(address.version, "raw", "PREROUTING", END, f"{target} -i {name} -j ACCEPT", endpoint.scope,
               f"trusted {name}",
               f"Who comes in by {name} may route straight to the container (trusted_host_interfaces).")
          for name in dict.fromkeys(trusted)),
        Rule(address.version, "raw", "PREROUTING", END, f"{target} ! -i {network.device} -j DROP", endpoint.scope,
             "no direct access",
             "A neighbour that routes straight to the container's address is dropped before anything else."),
    )
