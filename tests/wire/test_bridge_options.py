"""What a bridge network's options do on the wire, in both families: who is let in, and what address one leaves with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from minidock.kernel import syscalls
from minidock.probes.packets import tcp
from minidock.probes.tap import Tap
from tests.ground import OUTSIDE, Host
from tests.proving import proving
from tests.wire.crowd import Question, answers
from tests.wire.stage import ADDRESSES, OPTION, Stage, serving, staged

FAR = ("203.0.113.10", "2001:db8:203::10")  # beyond the gateway
WEB, HOST, BR0 = ADDRESSES["container"], ADDRESSES["host"], ADDRESSES["br0"]


@pytest.fixture
def callee(outside: str) -> Iterator[None]:
    """The outside serves at port 7000: it tells who asks."""
    with serving(outside, 7000, lambda asker: asker):
        yield


def asked(stage: Stage, source: str, addresses: tuple[str, ...], port: int, reached: bool = True) -> list[str]:
    """The answers at these addresses, IPv4 first; those hoped for are waited for."""
    questions = [Question(stage.places[source], address, port) for address in addresses]
    said = answers(questions, questions if reached else ())
    return [said[question] for question in questions]


def option(key: str, value: str) -> tuple[str, str]:
    return "-o", f"{OPTION}{key}={value}"


def test_without_icc_neighbours_do_not_reach_each_other(host: Host, outside: str) -> None:
    """Neither straight nor by a published port, as `port --who` says; strangers do. Where bridges hide their frames,
    straight again: the control."""
    stage = staged(host, "nat", *option("bridge.enable_icc", "false"))
    lines = host.minidock("port", "web", "80", "--format", "json").stdout.splitlines()
    told = {row["From"]: row["Reached"] for row in map(json.loads, lines) if row["HostIp"] == "0.0.0.0"}
    assert told == {"host": "yes", "neighbours": "yes", "networks": "yes", "network": "no", "itself": "no"}
    assert asked(stage, "web", HOST, 8080, False) == ["silence"] * 2
    assert asked(stage, "near", WEB, 80, False) == asked(stage, "near", WEB, 0, False) == ["silence"] * 2
    assert asked(stage, "near", HOST, 8080, False) == ["silence"] * 2
    assert asked(stage, "near", BR0, 0) == ["pong"] * 2
    for source in ("outside", "far"):
        assert asked(stage, source, HOST, 8080) == ["80"] * 2
    stage.bridged("0")
    host.shell(f"ip -n {stage.places['near']} neigh flush all")  # asking for web's MAC had been in vain in IPv6
    assert asked(stage, "near", WEB, 80) == ["80"] * 2


@contextlib.contextmanager
def lacking_br_netfilter(host: Host) -> Iterator[None]:
    """For the commands typed here there is no /proc/sys/net/bridge, as on a kernel without br_netfilter.

    Nor have they a procfs of their own, as before Linux 5.2: it would not be the one we cover.
    """
    host.lacking = "fsopen"
    host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
    syscalls.mount("tmpfs", "/proc/sys/net/bridge", "tmpfs", 0, "")
    try:
        yield
    finally:
        syscalls.umount("/proc/sys/net/bridge")
        host.lacking = ""


def test_without_icc_and_br_netfilter_the_ports_are_isolated(host: Host, outside: str, callee: None) -> None:
    """No rule sees the frames, so the bridge itself keeps its ports apart: not even ARP crosses. The gateway, the
    outside and published ports are reached all the same; a port made ordinary again is the control."""
    with lacking_br_netfilter(host):
        stage = staged(host, "nat", *option("bridge.enable_icc", "false"))
    assert host.shell("sysctl -n net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables") == "0\n0\n"
    with Tap(stage.places["web"], "eth0") as tap:
        assert asked(stage, "near", WEB, 80, False) == asked(stage, "near", WEB, 0, False) == ["silence"] * 2
        mac = bytes.fromhex(host.shell(f"ip netns exec {stage.places['near']} cat /sys/class/net/eth0/address")
                            .replace(":", ""))
        assert not [frame for frame in tap.heard() if frame.data[6:12] == mac]
        assert asked(stage, "near", BR0, 0) == asked(stage, "near", FAR, 0) == ["pong"] * 2
        assert asked(stage, "near", FAR, 7000) == [*HOST]
        for source in ("outside", "far", "host"):
            assert asked(stage, source, HOST, 8080) == ["80"] * 2
        assert asked(stage, "host", WEB, 81) == ["81"] * 2
    for port in host.shell("bridge link show | grep -o 'veth[0-9a-f]*'").split():
        host.shell(f"bridge link set dev {port} isolated off")
    host.shell(f"ip -n {stage.places['near']} neigh flush all")
    with Tap(stage.places["web"], "eth0") as tap:
        assert asked(stage, "near", WEB, 80) == ["80"] * 2
        assert [frame for frame in tap.heard() if frame.data[6:12] == mac]


def test_the_address_one_leaves_with(host: Host, outside: str, callee: None) -> None:
    """host_ipv4, host_ipv6: not that of the door, which far takes; and by the same the host's own packets enter."""
    chosen = ("198.51.100.77", "2001:db8:100::77")
    host.shell(f"ip addr add {chosen[0]}/24 dev up0; ip addr add {chosen[1]}/64 dev up0 nodad")
    stage = staged(host, "nat", *option("host_ipv4", chosen[0]), *option("host_ipv6", chosen[1]))
    assert asked(stage, "near", FAR, 7000) == [*chosen]
    assert asked(stage, "far", FAR, 7000)[0] == HOST[0]
    assert asked(stage, "outside", HOST, 8080) == ["80"] * 2


def test_without_masquerade_one_leaves_with_ones_own_address(host: Host, outside: str, callee: None) -> None:
    """Its answer, sent straight to the container, is direct access, and dropped in raw; without that it arrives."""
    stage = staged(host, "nat", *option("bridge.enable_ip_masquerade", "false"))
    assert asked(stage, "near", BR0, 0) == asked(stage, "host", FAR, 0) == ["pong"] * 2  # all neighbours are known
    with proving() as lab:
        near, outer = lab.container("near"), lab.place(OUTSIDE).eth0
        for far, own in zip(FAR, ADDRESSES["near"], strict=True):
            lab.positive(own).send(near, tcp(far, 7000)).expect(at=outer, src=own).expect_reply(at=outer, dst=own)
            (lab.negative(f"{own} unanswered", control=own).send(near, tcp(far, 7000)).expect_reply(at=outer)
             .never_reply(at=near.eth0))
    host.shell("iptables -t raw -F PREROUTING; ip6tables -t raw -F PREROUTING")
    assert asked(stage, "near", FAR, 7000) == [*ADDRESSES["near"]]


def test_a_trusted_interface_may_route_straight_in(host: Host, outside: str) -> None:
    """To what is published; lab1, where far is, is not trusted."""
    stage = staged(host, "nat", *option("bridge.trusted_host_interfaces", "up0"))
    assert asked(stage, "outside", WEB, 80) == ["80"] * 2
    assert asked(stage, "outside", WEB, 81, False) == asked(stage, "far", WEB, 80, False) == ["silence"] * 2


def test_each_family_has_a_gateway_mode_of_its_own(host: Host, outside: str, callee: None) -> None:
    """nat in IPv4, routed in IPv6: a host port here, the container's own port and address there."""
    stage = staged(host, "nat", *option("bridge.gateway_mode_ipv6", "routed"))
    assert asked(stage, "outside", HOST, 8080, False) == ["80", "refused"]
    assert asked(stage, "outside", WEB, 80, False) == ["silence", "80"]
    assert asked(stage, "outside", WEB, 0, False) == ["silence", "pong"]
    assert asked(stage, "near", FAR, 7000) == [HOST[0], ADDRESSES["near"][1]]


@pytest.mark.parametrize(("binding", "reached"), [
    ("198.51.100.2", ["80", "refused", "refused"]), ("2001:db8:100::2", ["refused", "refused", "80"]),
    ("0.0.0.0", ["80", "80", "80"])])
def test_the_default_address_ports_are_published_at(host: Host, outside: str, binding: str,
                                                    reached: list[str]) -> None:
    """host_binding_ipv4: an address of one family is for that family only; asked by the host itself."""
    stage = staged(host, "nat", *option("bridge.host_binding_ipv4", binding))
    assert asked(stage, "host", (HOST[0], "127.0.0.1", HOST[1]), 8080, False) == reached


def test_a_bridge_without_an_ipv4_address_has_its_ipv6_one(host: Host, outside: str, callee: None) -> None:
    """inhibit_ipv4: no router in IPv4, but neighbours; IPv6 is as ever."""
    stage = staged(host, "nat", *option("bridge.inhibit_ipv4", "true"))
    assert asked(stage, "near", BR0, 0, False) == ["silence", "pong"]
    assert asked(stage, "near", FAR, 7000, False)[1] == HOST[1]
    assert asked(stage, "near", WEB, 80) == ["80"] * 2
    assert asked(stage, "outside", (HOST[1],), 8080) == ["80"]
