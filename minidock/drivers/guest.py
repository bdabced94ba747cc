"""What the interface inside a sandbox needs, whatever driver made it. Pure."""

from __future__ import annotations

from ipaddress import ip_interface

from minidock.model.network import Endpoint, Facts
from minidock.objects import Address, Plan, Sysctl, Up


def dressed(end: Endpoint, facts: Facts) -> Plan:
    """Settings, addresses, then up."""
    where, name = end.netns, end.guest_ifname
    return (
        *_settings(end, facts),
        *(Address(netns=where, dev=name, interface=interface, why=_ON_LOAN if end.leases else
                  "The address leased to this container; with it comes the route to its neighbours.")
          for interface in end.interfaces),
        *(Address(netns=where, dev=name, interface=ip_interface(f"{text}/{64 if ':' in text else 16}"),
                  why="A link-local address, as asked for.") for text in end.attachment.link_local),
        Up(netns=where, dev=name, why="The guest's end is switched on."),
    )


_ON_LOAN = "The address that a DHCP server has lent this container; with it comes the route to its neighbours."


def _settings(end: Endpoint, facts: Facts) -> Plan:
    """The interface's settings: what its families need, then what the user asked for."""
    def setting(key: str, value: str, why: str) -> Sysctl:
        return Sysctl(netns=end.netns, key=key, value=value, why=why)

    name = end.guest_ifname
    four = (setting(f"net.ipv4.conf.{name}.arp_notify", "1",
                    "When its MAC is set, the kernel announces it: a gratuitous ARP."),
            ) if end.address or end.leases else ()
    six: Plan = ()
    if end.address6:
        six = (setting(f"net.ipv6.conf.{name}.disable_ipv6", "0", "The network has IPv6, so the interface has it."),
               setting(f"net.ipv6.conf.{name}.ndisc_notify", "1",
                       "When its MAC is set, the kernel announces it: an unsolicited neighbour advertisement."))
    elif facts.ipv6:
        six = (setting(f"net.ipv6.conf.{name}.disable_ipv6", "1",
                       "The network has no IPv6, so the interface has none."),)
    return (*six, *four, *(setting(key, value, "Asked for by endpoint.sysctls.") for key, value in sysctls_of(end)))


def sysctls_of(end: Endpoint) -> tuple[tuple[str, str], ...]:
    """The option endpoint.sysctls: `net.ipv4.conf.IFNAME.log_martians=1,…`, the interface's name put in."""
    words = end.attachment.option("endpoint.sysctls").split(",")
    pairs = (word.strip().partition("=") for word in words if word.strip())
    return tuple((key.replace("IFNAME", end.guest_ifname), value) for key, _, value in pairs)
