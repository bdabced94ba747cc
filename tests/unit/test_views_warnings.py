"""Warnings name the other party and end with something to type."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from minidock.model.network import Network
from minidock.model.ports import PortBinding
from minidock.views import warnings

BR0 = Network("0123456789ab" + "0" * 52, "br0", "bridge", "now")
IN = ip_address("172.28.0.2")
WEB = PortBinding("tcp", ip_address("0.0.0.0"), 8080, IN, 80)
HERE = PortBinding("tcp", ip_address("127.0.0.1"), 8081, IN, 80)
GAME = PortBinding("udp", ip_address("198.51.100.2"), 5000, IN, 53, 3)
ROUTED = PortBinding("tcp", ip_address("0.0.0.0"), 0, IN, 80)


def test_fixed_addresses_of_a_network_that_is_gone() -> None:
    holders = [("db", "172.28.0.9"), ("db", "fd00::9"), ("web", "172.28.0.8")]
    assert str(warnings.fixed_addresses_lost(BR0, holders)) == (
        "WARNING: containers that do not run have fixed addresses in network br0 and cannot start without it:"
        " db (172.28.0.9), db (fd00::9), web (172.28.0.8)\n"
        "hint: minidock net disconnect 0123456789ab db; minidock net disconnect 0123456789ab web")


def test_published_ports_under_ufw() -> None:
    assert str(warnings.ports_unguarded("ufw", BR0, [HERE, WEB, GAME])) == (
        "WARNING: ufw's rules for incoming packets do not guard 0.0.0.0:8080/tcp, 198.51.100.2:5000-5002/udp: what"
        " comes for a published port is forwarded to the container\n"
        "hint: for this host alone: -p 127.0.0.1:8080:80; for some neighbours only: iptables -I MINIDOCK-USER"
        " ! -s 192.0.2.0/24 ! -i br-0123456789ab -o br-0123456789ab -p tcp -m conntrack --ctdir ORIGINAL"
        " --ctorigdstport 8080 -j DROP")


def test_a_range_of_udp_under_firewalld() -> None:
    notice = str(warnings.ports_unguarded("firewalld", BR0, [GAME]))
    assert "-p 127.0.0.1:5000-5002:53-55/udp;" in notice
    assert "--ctorigdstport 5000:5002 " in notice
    assert notice.endswith("; after firewall-cmd --reload, which may flush ours: minidock system repair")


@pytest.mark.parametrize("bindings", [[], [HERE], [ROUTED]])
def test_what_is_published_for_nobody_outside_is_no_matter(bindings: list[PortBinding]) -> None:
    assert warnings.ports_unguarded("ufw", BR0, bindings) is None


@pytest.mark.parametrize(("device", "interface"), [("", "br-+"), ("own0", "own0")])
def test_a_zone_that_refuses(device: str, interface: str) -> None:
    network = BR0.but(options=(("com.docker.network.bridge.name", device),) if device else ())
    notice = warnings.zone_refuses(network, "public")
    assert notice.what.startswith("firewalld refuses what containers of network br0 send: its zone public, ")
    assert notice.hint.endswith(f"firewall-cmd --permanent --zone=trusted --add-interface={interface}")
