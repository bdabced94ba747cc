"""The bridge driver: a switch in the kernel, the host its router, NAT to the outside.

        container          host
    eth0 172.28.0.2 ==== vethcafe012 -> br-0123456789ab 172.28.0.1 -> (NAT) -> uplink

Pure: (network, endpoint, facts) to plans; same arguments, same plan.
"""

from __future__ import annotations

from ipaddress import ip_network

from minidock.drivers.guest import dressed
from minidock.firewall import bridge as firewall
from minidock.firewall.ports import port_rules
from minidock.model.firewall import Policy
from minidock.model.network import BOTH, OPTION_PREFIX, Endpoint, Facts, Network, Way, gateway_endpoint
from minidock.objects import (
    Address,
    Alias,
    Announcement,
    Bridge,
    BridgePort,
    Existing,
    Flows,
    Plan,
    Route,
    RuleSet,
    Sysctl,
    Up,
    Veth,
)

KIND = "bridge"
OPTIONS = tuple(OPTION_PREFIX + key for key in (
    "bridge.name", "bridge.enable_icc", "bridge.enable_ip_masquerade", "bridge.gateway_mode_ipv4",
    "bridge.gateway_mode_ipv6", "bridge.host_binding_ipv4", "bridge.inhibit_ipv4", "bridge.ipv6_relay",
    "bridge.trusted_host_interfaces", "host_ipv4", "host_ipv6", "driver.mtu", "container_iface_prefix", "enable_ipv4",
    "enable_ipv6"))


def inhibited(net: Network, version: int) -> bool:
    """Has the bridge device no address? Containers of a network that is not internal still route by it."""
    return firewall.gateway_mode(net, version) == "isolated" or \
        (version == 4 and firewall.truth(net.option("bridge.inhibit_ipv4", "false")))


def has_gateway(net: Network, version: int) -> bool:
    """Does the network need an address for a gateway?"""
    return not (net.internal and inhibited(net, version))


def host(facts: Facts) -> Plan:
    """What all bridge networks share: forwarding, and our chains in iptables' tables."""
    families = BOTH if facts.ipv6 else (4,)
    closes = not facts.ip_forward and facts.forward_policy != "DROP"
    policies = (Policy(4, "filter", "FORWARD", "DROP", was="ACCEPT"),) if closes else ()
    forwarding = () if facts.ip_forward else (
        Sysctl(netns="", key="net.ipv4.ip_forward", value="1", was="0",
               why="Off, the host discards packets that are not for itself; on, it is a router."),
    )
    return (
        RuleSet(chains=firewall.host_chains(families), policies=policies, rules=firewall.host_rules(families),
                why="Our chains, in the order Docker 29 has them; as forwarding is switched on for containers,"
                    " everything else is not forwarded (policy DROP)." if closes else
                    "Our chains, in the order Docker 29 has them."),
        *forwarding,
    )


def host_ipv6(facts: Facts) -> Plan:
    """What all networks with IPv6 share: the host forwards it. Nothing, where it did so before."""
    if facts.ip6_forward:
        return ()
    closed = () if facts.forward_policy6 == "DROP" else (
        RuleSet(chains=(), policies=(Policy(6, "filter", "FORWARD", "DROP", was="ACCEPT"),), rules=(),
                why="As IPv6 forwarding is switched on for containers, everything else is not forwarded."),)
    return closed + tuple(
        Sysctl(netns="", key=f"net.ipv6.conf.{which}.forwarding", value="1", was="0",
               why="A router for IPv6 too: interfaces to come, and all that are there.")
        for which in ("default", "all"))


def network(net: Network, facts: Facts) -> Plan:
    """A bridge with the gateway's addresses, and its rules."""
    device, found = net.device, facts.found
    made = Existing(name=device, kind="bridge", why="The bridge you named is there already: used, never deleted.") \
        if net.adopted else \
        Bridge(name=device, mac=net.mac, mtu_bytes=net.mtu_bytes,
               why="A bridge is a learning switch in the kernel; containers plug into it.")
    marks = () if net.adopted else (
        Alias(dev=device, text=f"minidock:{net.scope}", why="So that `ip link` tells whose device it is."),)
    gateways = tuple(
        Address(netns="", dev=device, interface=interface,
                why="The bridge has an address only because the host will be the containers' router.")
        for version in net.families if (interface := net.gateway_interface(version))
        and not inhibited(net, version) and not (found and interface in found.addresses))
    return (
        made, *marks, *_bridge_ipv6(net, facts),
        Sysctl(netns="", key=f"net.ipv4.conf.{device}.route_localnet", value="1",
               was=found.route_localnet if found else "",
               why="Lets a published port on 127.0.0.1 be routed to a container."),
        *_bridge_netfilter(net, facts),
        *gateways,
        RuleSet(chains=(), policies=(), rules=firewall.network_rules(net),
                why="What may enter and leave this network."),
        Up(netns="", dev=device, kept=net.adopted, why="Rules first, then the switch is turned on."),
    )


def _bridge_ipv6(net: Network, facts: Facts) -> Plan:
    """How the bridge device itself takes part in IPv6."""
    if not facts.ipv6:
        return ()
    found = facts.found
    heard = Sysctl(netns="", key=f"net.ipv6.conf.{net.device}.accept_ra", value="0",
                   was=found.accept_ra if found else "",
                   why="The host is the router here: it takes no routes from containers.")
    if not net.ipv6:
        return (heard,)
    isolated = firewall.gateway_mode(net, 6) == "isolated"
    at_once = Sysctl(netns="", key=f"net.ipv6.conf.{net.device}.accept_dad", value="0",
                     was=found.accept_dad if found else "",
                     why="Its link-local address is good at once: without one the host asks for no neighbour, and"
                         " the first connections from outside would wait two seconds.")
    there = Sysctl(netns="", key=f"net.ipv6.conf.{net.device}.disable_ipv6", value="1" if isolated else "0",
                   was=found.disable_ipv6 if found else "",
                   why="gateway_mode isolated: the host has no IPv6 address there, not even a link-local one."
                   if isolated else "The network has IPv6, so the bridge takes part in it.")
    return (heard, at_once, there)


def _unfiltered(facts: Facts, version: int) -> bool:
    """Does iptables not see what goes from one port of a bridge to another?"""
    return (facts.bridge_netfilter if version == 4 else facts.bridge_netfilter6) != "1"


def _bridge_netfilter(net: Network, facts: Facts) -> Plan:
    """Without it the rule of enable_icc=false never sees a packet. It stays on: other networks may need it.

    Where the module is not to be had, the ports of the bridge are kept apart instead (`_port`).
    """
    if firewall.icc(net) or not facts.bridge_netfilter:
        return ()
    return tuple(Sysctl(netns="", key=firewall.BRIDGE_NETFILTER[version], value="1",
                        why="Lets iptables see what goes from one port of a bridge to another.")
                 for version in net.families if _unfiltered(facts, version))


def endpoint(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """A cable from the bridge into the sandbox, the rules first."""
    rules = firewall.endpoint_rules(net, end)
    ruleset = (RuleSet(chains=(), policies=(), rules=rules, why="What may reach this container."),) if rules else ()
    return (
        *ruleset,
        Veth(host=end.host_ifname, host_mac=end.host_mac, guest=end.guest_ifname, guest_mac=end.guest_mac,
             netns=end.netns, master=net.device, mtu_bytes=net.mtu_bytes,
             why=f"A virtual cable: one end in the bridge, the other is the container's {end.guest_ifname}."),
        Alias(dev=end.host_ifname, text=f"minidock:{end.scope}", why="So that `ip link` tells whose cable it is."),
        _port(net, end, facts),
        *dressed(end, facts),
        Announcement(netns=end.netns, dev=end.guest_ifname, mac=end.guest_mac, port=end.host_ifname,
                     why="Set once more, the MAC is announced: nobody keeps an older one for this address."),
    )


def _port(net: Network, end: Endpoint, facts: Facts) -> BridgePort:
    apart = not firewall.icc(net) and not facts.bridge_netfilter
    return BridgePort(dev=end.host_ifname, hairpin=True, isolated=apart,
                      why="enable_icc=false without br_netfilter: isolated ports of a bridge never talk to each other."
                      if apart else
                      "Lets a container reach its own published port: the frame goes back where it came from.")


def exits(ways: tuple[Way, ...], facts: Facts) -> Plan:
    """What moves to another endpoint with the gateway: the published ports, the default routes."""
    ends = tuple(end for _, end in ways)
    visible = tuple(
        Sysctl(netns="", key=firewall.BRIDGE_NETFILTER[version], value="1",
               why="Answers among neighbours on a bridge pass iptables, which puts the asked address back.")
        for version in BOTH if (facts.bridge_netfilter if version == 4 else facts.bridge_netfilter6) == "0"
        and any(item.ip.version == version and not item.relayed for end in ends for item in end.published))
    return (*visible, *_ports(ways),
            *(item for version in BOTH for item in _way_out(gateway_endpoint(ends, version), version)))


def _ports(ways: tuple[Way, ...]) -> Plan:
    """The rules of the ports; what connection tracking remembers is forgotten once they are there, and once gone.

    Where bridges hide frames from iptables, the answer to a neighbour on the same bridge would go straight to it, from
    an address it never asked. Docker insists on this setting too, without its proxy.
    """
    rules = tuple(rule for net, end in ways for rule in port_rules(net, end))
    bindings = [item for _, end in ways for item in end.published if not item.relayed]
    if not rules:
        return ()
    return (*(Flows(binding=item, leaving=True, why="What goes through this port ends with it.") for item in bindings),
            RuleSet(chains=(), policies=(), rules=rules, why="What is published of this container."),
            *(Flows(binding=item, leaving=False, why="A flow the kernel remembers from before would pass the new rules"
                    " by.") for item in bindings if item.proto == "udp"))


def _way_out(end: Endpoint | None, version: int) -> Plan:
    """The default route of a family."""
    if end is None:
        return ()
    everything = ip_network("0.0.0.0/0" if version == 4 else "::/0")
    why = "Everything goes to the parent's host, which routes for this container." if end.onlink else \
        "Everything that is not a neighbour goes to the gateway, which sends it on."
    return (Route(netns=end.netns, dev=end.guest_ifname, destination=everything, via=end.gateway_of(version), why=why),)
