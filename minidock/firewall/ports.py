"""The iptables rules of published ports, as Docker Engine 29 writes them without docker-proxy.

    nat MINIDOCK        -p tcp --dport 8080 -j DNAT --to-destination 172.28.0.2:80    a host port is a container's
    nat POSTROUTING     -s 172.28.0.2 -d 172.28.0.2 … -j MASQUERADE                   the container asks for itself
    filter MINIDOCK     -d 172.28.0.2 ! -i BR -o BR … --dport 80 -j ACCEPT            and may be reached
    raw PREROUTING      -d 127.0.0.1 ! -i lo … --dport 8080 -j DROP                   loopback means loopback

Pure. Source: moby daemon/libnetwork/drivers/bridge/internal/iptabler/port.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from minidock.firewall.bridge import gateway_mode
from minidock.model.firewall import END, TOP, Rule
from minidock.model.network import Endpoint, Network
from minidock.model.ports import Address, PortBinding, bracketed, span


def port_rules(network: Network, endpoint: Endpoint) -> tuple[Rule, ...]:
    """All rules of an endpoint's ports; two host ports of one container port share what would be said twice."""
    rules = [rule for binding in endpoint.ports if not binding.relayed for rule in _rules(network, endpoint, binding)]
    return tuple(dict.fromkeys(rules))


def _rules(network: Network, endpoint: Endpoint, binding: PortBinding) -> Iterator[Rule]:
    if binding.host_port:
        yield from _translation(endpoint, binding)
    if gateway_mode(network, binding.ip.version) != "nat-unprotected":
        strangers = f"-d {_whole(binding.ip)} ! -i {network.device} -o {network.device}"
        yield _rule(endpoint, binding, "filter MINIDOCK", TOP,
                    f"{strangers} {_dport(binding, *_inside(binding))} -j ACCEPT", f"open {_name(binding)}",
                    f"Strangers may reach port {_name(binding)} of the container.")


def _translation(endpoint: Endpoint, binding: PortBinding) -> Iterator[Rule]:
    host = f"{bracketed(binding.host_ip)}:{span(binding.host_port, binding.host_last)}/{binding.proto}"
    at, dport = _at(binding), _dport(binding, binding.host_port, binding.host_last)
    if binding.host_ip.version == 4 and binding.host_ip.is_loopback:  # ::1 from outside is dropped by the kernel itself
        yield _rule(endpoint, binding, "raw PREROUTING", END, f"{at}! -i lo {dport} -j DROP", f"only from here {host}",
                    f"{binding.host_ip} is for the host itself: a neighbour that sends there is dropped.")
    # Link-local answers cannot be routed; those to ::1 neither: it is left to the socket that is carried.
    stranger = ("! -s fe80::/10 " + "! -d ::1/128 " * binding.carried) if binding.ip.version == 6 else ""
    yield _rule(endpoint, binding, "nat MINIDOCK", END,
                f"{stranger}{at}{dport} -j DNAT --to-destination {_target(binding)}", f"published {host}",
                f"What comes for {_place(binding)} goes to port {_name(binding)} of the container;"
                " the sender's address stays.")
    yield _rule(endpoint, binding, "nat POSTROUTING", END,
                f"-s {_whole(binding.ip)} -d {_whole(binding.ip)} {_dport(binding, *_inside(binding))} -j MASQUERADE",
                f"to itself {_name(binding)}", "A container that asks for its own published port gets the answer"
                " from the address it asked.")


def _rule(endpoint: Endpoint, binding: PortBinding, place: str, at: str, spec: str, note: str, why: str) -> Rule:
    table, chain = place.split()
    return Rule(binding.ip.version, table, chain, at, spec, endpoint.exit_scope, note, why)


def _inside(binding: PortBinding) -> tuple[int, int]:
    return binding.port, binding.last


def _name(binding: PortBinding) -> str:
    return f"{span(*_inside(binding))}/{binding.proto}"


def _place(binding: PortBinding) -> str:
    port = f"{span(binding.host_port, binding.host_last)}/{binding.proto}"
    return f"port {port} of {binding.host_ip if int(binding.host_ip) else 'this host'}"


def _at(binding: PortBinding) -> str:
    """Every address of the host, or one."""
    return f"-d {_whole(binding.host_ip)} " if int(binding.host_ip) else ""


def _whole(ip: Address) -> str:
    return f"{ip}/{ip.max_prefixlen}"


def _dport(binding: PortBinding, first: int, last: int) -> str:
    ports = str(first) if first == last else f"{first}:{last}"
    return f"-p {binding.proto} -m {binding.proto} --dport {ports}"


def _target(binding: PortBinding) -> str:
    """For a range, the base says which host port is the first (man 8 iptables-extensions, DNAT)."""
    base = f"/{binding.host_port}" if binding.count > 1 else ""
    return f"{bracketed(binding.ip)}:{span(*_inside(binding))}{base}"
