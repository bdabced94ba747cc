"""The bridge driver: a switch in the kernel, the host its router, NAT to the outside.

        container          host
    eth0 172.28.0.2 ==== vethcafe012 -> br-0123456789ab 172.28.0.1 -> (NAT) -> uplink

Pure: (network, endpoint, facts) to plans; same arguments, same plan.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from minidock.errors import Unsupported
from minidock.firewall import bridge as firewall
from minidock.firewall.ports import port_rules
from minidock.model.firewall import Policy
from minidock.model.network import Endpoint, Facts, Network
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

OPTIONS = ("bridge.name", "bridge.enable_icc", "bridge.enable_ip_masquerade", "bridge.gateway_mode_ipv4",
           "bridge.host_binding_ipv4", "bridge.inhibit_ipv4", "bridge.trusted_host_interfaces", "host_ipv4",
           "driver.mtu", "container_iface_prefix")


def inhibited(net: Network) -> bool:
    """Has the bridge device no address? Containers of a network that is not internal still route by it."""
    return firewall.gateway_mode(net) == "isolated" or firewall.truth(net.option("bridge.inhibit_ipv4", "false"))


def has_gateway(net: Network) -> bool:
    """Does the network need an address for a gateway?"""
    return not (net.internal and inhibited(net))


def host(facts: Facts) -> Plan:
    """What all bridge networks share: forwarding, and our chains in iptables' tables."""
    families = (4, 6) if facts.ipv6 else (4,)
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


def network(net: Network, facts: Facts) -> Plan:
    """A bridge with the gateway's address, and its rules."""
    device = net.device
    made = Existing(name=device, kind="bridge", why="The bridge you named is there already: used, never deleted.") \
        if net.adopted else \
        Bridge(name=device, mac=net.mac, mtu_bytes=net.mtu_bytes,
               why="A bridge is a learning switch in the kernel; containers plug into it.")
    marks = () if net.adopted else (
        Alias(dev=device, text=f"minidock:{net.scope}", why="So that `ip link` tells whose device it is."),)
    found = facts.found
    ipv6 = (Sysctl(netns="", key=f"net.ipv6.conf.{device}.accept_ra", value="0", was=found.accept_ra if found else "",
                   why="The host is the router here: it takes no routes from containers."),) if facts.ipv6 else ()
    interface = net.gateway_interface
    gateway = () if interface is None or inhibited(net) or (found and found.addressed) else (
        Address(netns="", dev=device, interface=interface,
                why="The bridge has an address only because the host will be the containers' router."),)
    return (
        made, *marks, *ipv6,
        Sysctl(netns="", key=f"net.ipv4.conf.{device}.route_localnet", value="1",
               was=found.route_localnet if found else "",
               why="Lets a published port on 127.0.0.1 be routed to a container."),
        *_bridge_netfilter(net, facts),
        *gateway,
        RuleSet(chains=(), policies=(), rules=firewall.network_rules(net),
                why="What may enter and leave this network."),
        Up(netns="", dev=device, kept=net.adopted, why="Rules first, then the switch is turned on."),
    )


def _bridge_netfilter(net: Network, facts: Facts) -> Plan:
    """Without it the rule of enable_icc=false never sees a packet. It stays on: other networks may need it."""
    if facts.bridge_netfilter == "1" or firewall.icc(net):
        return ()
    if not facts.bridge_netfilter:
        raise Unsupported("enable_icc=false needs the kernel module br_netfilter, and it could not be loaded",
                          "load it as root of the machine: modprobe br_netfilter")
    return (Sysctl(netns="", key=firewall.BRIDGE_NETFILTER, value="1",
                   why="Lets iptables see what goes from one port of a bridge to another."),)


def endpoint(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """A cable from the bridge into the sandbox, the rules first."""
    assert end.address is not None
    rules = firewall.endpoint_rules(net, end)
    ruleset = (RuleSet(chains=(), policies=(), rules=rules, why="What may reach this container."),) if rules else ()
    no_ipv6 = (Sysctl(netns=end.netns, key=f"net.ipv6.conf.{end.guest_ifname}.disable_ipv6", value="1",
                      why="The network has no IPv6, so the interface has none."),) if facts.ipv6 else ()
    return (
        *ruleset,
        Veth(host=end.host_ifname, host_mac=end.host_mac, guest=end.guest_ifname, guest_mac=end.guest_mac,
             netns=end.netns, master=net.device, mtu_bytes=net.mtu_bytes,
             why=f"A virtual cable: one end in the bridge, the other is the container's {end.guest_ifname}."),
        Alias(dev=end.host_ifname, text=f"minidock:{end.scope}", why="So that `ip link` tells whose cable it is."),
        BridgePort(dev=end.host_ifname, hairpin=True,
                   why="Lets a container reach its own published port: the frame goes back where it came from."),
        *no_ipv6,
        Sysctl(netns=end.netns, key=f"net.ipv4.conf.{end.guest_ifname}.arp_notify", value="1",
               why="When its MAC is set, the kernel announces it: a gratuitous ARP."),
        Address(netns=end.netns, dev=end.guest_ifname, interface=end.address,
                why="The address leased to this container; with it comes the route to its neighbours."),
        Up(netns=end.netns, dev=end.guest_ifname, why="The guest's end is switched on."),
        Announcement(netns=end.netns, dev=end.guest_ifname, mac=end.guest_mac, port=end.host_ifname,
                     why="Set once more, the MAC is announced: nobody keeps an older one for this address."),
    )


def exits(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """What moves to another endpoint with the gateway: the published ports, the default route."""
    return (*_ports(net, end, facts), *exit_route(end))


def _ports(net: Network, end: Endpoint, facts: Facts) -> Plan:
    """The rules of the ports; what connection tracking remembers is forgotten once they are there, and once gone.

    Where bridges hide frames from iptables, the answer to a neighbour on the same bridge would go straight to it, from
    an address it never asked. Docker insists on this setting too, without its proxy.
    """
    rules = port_rules(net, end)
    if not rules or end.address is None:
        return ()
    why = "A flow the kernel remembers from before would pass the new rules by."
    gone = "Nor shall it go on to an address that is another container's soon."
    visible = (Sysctl(netns="", key=firewall.BRIDGE_NETFILTER, value="1",
                      why="Answers among neighbours on a bridge pass iptables, which puts the asked address back."),) \
        if end.published and facts.bridge_netfilter == "0" else ()
    return (*visible,
            Flows(address=end.address.ip, bindings=end.published, leaving=True, why=gone),
            RuleSet(chains=(), policies=(), rules=rules, why="What is published of this container."),
            Flows(address=end.address.ip, bindings=end.published, leaving=False, why=why))


def exit_route(end: Endpoint) -> Plan:
    """The way out of the sandbox."""
    if end.gateway is None:
        return ()
    return (Route(netns=end.netns, dev=end.guest_ifname, destination=IPv4Network("0.0.0.0/0"), via=end.gateway,
                  why="Everything that is not a neighbour goes to the bridge's address: the host routes it on."),)
