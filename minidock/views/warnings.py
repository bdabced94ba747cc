"""What to tell the user where Docker is silent: each a sentence on what is the matter, and what to type."""

from __future__ import annotations

from collections.abc import Iterable

from minidock.model.network import Network, Subnet
from minidock.model.ports import Address, PortBinding, bracketed, span
from minidock.model.record import Record

_ANOTHER = "unless that is meant, give another --subnet, or none: minidock then finds a free one"


class Notice(Record):
    """Nothing failed, but something is not as one may believe."""

    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"WARNING: {self.what}" + (f"\nhint: {self.hint}" if self.hint else "")


def route_overlaps(subnet: Subnet, route: Subnet, device: str) -> Notice:
    """The network's addresses are also those of neighbours on another device."""
    return Notice(f"subnet {subnet} {'is also that' if subnet == route else f'overlaps {route}'} of device {device}:"
                  " this host will miss neighbours there, or containers here", _ANOTHER)


def server_inside(subnet: Subnet, server: Address, device: str) -> Notice:
    """The host's own name server has an address of the network's."""
    return Notice(f"name server {server} of /etc/resolv.conf lies in subnet {subnet}: this host now looks for it on"
                  f" {device}", _ANOTHER)


def fixed_addresses_lost(network: Network, holders: Iterable[tuple[str, str]]) -> Notice:
    """The network goes; containers (name, address) that do not run have addresses of it fixed."""
    found = list(holders)
    told = ", ".join(f"{name} ({address})" for name, address in found)
    names = dict.fromkeys(name for name, _ in found)
    return Notice(f"containers that do not run have fixed addresses in network {network.name} and cannot start without"
                  f" it: {told}",
                  "; ".join(f"minidock net disconnect {network.short} {name}" for name in names))


def zone_refuses(network: Network, zone: str) -> Notice:
    """firewalld's nftables rules stand after ours and reject what comes from the bridge."""
    interface = "br-+" if network.device.startswith("br-") else network.device
    command = f"zone=trusted --add-interface={interface}"
    return Notice(f"firewalld refuses what containers of network {network.name} send: its zone {zone}, where it puts"
                  f" {network.device}, forwards nothing", f"for now: firewall-cmd --{command}; and to stay:"
                  f" firewall-cmd --permanent --{command}")


def ports_unguarded(firewall: str, network: Network, bindings: Iterable[PortBinding]) -> Notice | None:
    """A host firewall's rules are for INPUT; a published port's packets are forwarded. None if all are for loopback."""
    seen = [binding for binding in bindings
            if binding.host_port and not binding.host_ip.is_loopback and not binding.relayed]
    if not seen:
        return None
    places = ", ".join(f"{bracketed(item.host_ip)}:{span(item.host_port, item.host_last)}/{item.proto}"
                       for item in seen)
    again = "" if firewall == "ufw" else "; after firewall-cmd --reload, which may flush ours: minidock system repair"
    return Notice(f"{firewall}'s rules for incoming packets do not guard {places}: what comes for a published port is"
                  " forwarded to the container", f"for this host alone: {_for_loopback(seen[0])}; for some neighbours"
                  f" only: {user_rule(network, seen[0])}{again}")


def _for_loopback(binding: PortBinding) -> str:
    udp = "" if binding.proto == "tcp" else f"/{binding.proto}"
    host, inside = span(binding.host_port, binding.host_last), span(binding.port, binding.last)
    return f"-p 127.0.0.1:{host}:{inside}{udp}"


def user_rule(network: Network, binding: PortBinding) -> str:
    """A rule that lets only 192.0.2.0/24 (2001:db8::/32) in.

    Only packets on their way in (`--ctdir ORIGINAL`): answers of a stranger's port 8080 to a container pass. They are
    translated already, so the host's port is asked from conntrack.
    """
    ports = str(binding.host_port) if binding.count == 1 else f"{binding.host_port}:{binding.host_last}"
    program, friends = ("ip6tables", "2001:db8::/32") if binding.ip.version == 6 else ("iptables", "192.0.2.0/24")
    return (f"{program} -I MINIDOCK-USER ! -s {friends} ! -i {network.device} -o {network.device} -p {binding.proto}"
            f" -m conntrack --ctdir ORIGINAL --ctorigdstport {ports} -j DROP")
