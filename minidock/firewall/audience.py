"""Who reaches a published port: this host, its neighbours, containers of other networks and of the same, itself. Pure.

Each is asked for as the packets it would send; `reach.fate` says where they end.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from minidock.firewall import reach
from minidock.firewall.matching import Host, Packet, span
from minidock.firewall.reach import Answer
from minidock.firewall.ruleset import Ruleset
from minidock.model.network import Endpoint, Network
from minidock.model.ports import Address, PortBinding
from minidock.model.record import Record

HOST, NEIGHBOURS, NETWORKS, NETWORK, ITSELF = "host", "neighbours", "networks", "network", "itself"
YES, NO, PARTLY, SOME, UNKNOWN = "yes", "no", "partly", "some", "unknown"
# whoever has an address that is routed: a container could not answer a link-local one, a relay on the host can
_ANYBODY = {4: (span(ip_network("0.0.0.0/0")),), 6: (span(ip_network("2000::/3")), span(ip_network("fc00::/7")))}
_ON_THE_LINK = span(ip_network("fe80::/10"))


class Reach(Record):
    """Does somebody reach a port?"""

    binding: PortBinding
    network: str  # the name of the container's network
    who: str
    reached: str  # partly: at some of the host's addresses; some: some of them do; unknown: a rule cannot be read
    because: str  # the rule or the reason, if it is not yes


class Scene(Record):
    """All that it takes to tell."""

    host: Host
    rules: Ruleset
    networks: tuple[Network, ...]  # all of minidock's


def reaches(scene: Scene, network: Network, end: Endpoint) -> Iterator[Reach]:
    """For each port that the host offers of an endpoint, and everybody who is there to ask."""
    for binding in end.published:
        for who, packets in _askers(scene, network, binding):
            answers = [(packet.destination, reach.fate(scene.host, scene.rules, packet)) for packet in packets]
            yield Reach(binding, network.name, who, *_summed([(place, *_told(binding, answer))
                                                              for place, answer in answers]))


def _askers(scene: Scene, network: Network, binding: PortBinding) -> Iterator[tuple[str, list[Packet]]]:
    """Who may ask, with the packets they would send."""
    version = binding.host_ip.version
    ours = {net.device for net in scene.networks if net.driver == "bridge"}
    away = [(name, one.ip) for name, one in scene.host.interfaces
            if one.version == version and name not in ours and name != "lo"]
    home = [ip for _, ip in away if binding.relayed or not ip.is_link_local]
    gateway = [one.ip for one in (network.gateway_interface(version),) if one and scene.host.local(one.ip)]
    asked = home or gateway
    loopback = [ip_address("127.0.0.1" if version == 4 else "::1")]
    if int(binding.host_ip):
        asked, loopback = [binding.host_ip], []
    ports = (binding.proto, binding.host_port, binding.host_last)
    yield HOST, [reach.made_here(scene.host, place, *ports) for place in loopback + asked]
    for who, devices, sources in _comers(scene, network, binding, frozenset(name for name, _ in away)):
        if devices and asked:
            yield who, [Packet(devices, sources, place, *ports) for place in asked]


def _comers(scene: Scene, network: Network, binding: PortBinding,
            uplinks: frozenset[str]) -> Iterator[tuple[str, frozenset[str], tuple[tuple[int, int], ...]]]:
    """Whose packets come in, by which devices, from which addresses."""
    version = binding.host_ip.version
    there = {name for name, one in scene.host.interfaces if one.version == version}
    others = [(net.device, span(pool.subnet)) for net in scene.networks
              if net.device in there and net.id != network.id and not net.internal and (pool := net.pool(version))]
    yield NEIGHBOURS, uplinks, _ANYBODY[version] + ((_ON_THE_LINK,) if binding.relayed else ())
    yield NETWORKS, frozenset(device for device, _ in others), tuple(whole for _, whole in others)
    pool = network.pool(version)
    if pool:
        (first, last), own = span(pool.subnet), int(binding.ip)
        bridge = frozenset((network.device,))
        yield NETWORK, bridge, ((first, own - 1), (own + 1, last))
        yield ITSELF, bridge, ((own, own),)


def _told(binding: PortBinding, answer: Answer) -> tuple[str, str]:
    """Is the port reached, and if not, why?"""
    if answer.what in (reach.UNKNOWN, reach.SOME):
        return UNKNOWN if answer.what == reach.UNKNOWN else SOME, answer.because
    if answer.what == reach.DELIVERED:
        place: tuple[Address, int] | None = (binding.ip, binding.port)
        return (YES, "") if answer.place == place else (NO, "it goes to {} port {}".format(*answer.place or ()))
    if answer.what == reach.LOCAL:
        return (YES, "") if binding.carried else (NO, "no rule leads to the container: minidock system repair")
    return NO, answer.because


def _summed(answers: list[tuple[Address, str, str]]) -> tuple[str, str]:
    """One answer for all the host's addresses: the worst known, with where and why."""
    said = [reached for _, reached, _ in answers]
    if len(set(said)) == 1:
        return answers[0][1:]
    worst = next(one for one in (UNKNOWN, SOME, NO) if one in said)
    place, _, because = answers[said.index(worst)]
    return (PARTLY, f"not at {place}: {because}") if worst == NO else (worst, because)
