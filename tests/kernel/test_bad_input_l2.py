"""What a user does wrong with macvlan and ipvlan, and that nothing at all has changed; see test_bad_input.py.

Nothing here is ever built on an ipvlan or a VLAN: every kernel can refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground import Host
from tests.kernel.test_bad_input import blame, world_of

MAC, IPV = "net create x -d macvlan --subnet 10.1.0.0/24 -o", "net create x -d ipvlan --subnet 10.1.0.0/24 -o"
RUN, LENT = "run --rm --net wire", "net create x -d macvlan -o parent=eth5 --ipam-driver dhcp"

# eth1: network wire, container web. eth2: a port of br9. eth3: network own in mode passthru, container only.
# eth4: an ipvlan network, stood. eth5: nobody's. a-long-ifname1: its VLANs have no room for a name.
# eth6: network lent, whose addresses a DHCP server lends; 10.1.0.9 there is fixed's, which is stopped.
CASES: dict[str, tuple[int, str]] = {
    "driver-typo": (2, "net create x -d macvaln"),
    "mode-unknown": (2, f"{MAC} parent=eth5 -o macvlan_mode=brigde"),
    "mode-of-ipvlan": (2, f"{MAC} parent=eth5 -o macvlan_mode=l2"),
    "mode-of-macvlan": (2, f"{IPV} parent=eth5 -o ipvlan_mode=passthru"),
    "mode-empty": (2, f"{MAC} parent=eth5 -o macvlan_mode="),
    "flag-unknown": (2, f"{IPV} parent=eth5 -o ipvlan_flag=hairpin"),
    "option-typo": (2, f"{MAC} parrent=eth5"),
    "option-of-ipvlan": (2, f"{MAC} ipvlan_mode=l2"),
    "option-of-macvlan": (2, f"{IPV} host_access=true"),
    "option-of-bridge": (2, f"{MAC} com.docker.network.bridge.enable_icc=false"),
    "parent-prefixed": (2, f"{MAC} com.docker.network.parent=eth5"),
    "parent-loopback": (2, f"{MAC} parent=lo"),
    "parent-loopback-ipvlan": (2, f"{IPV} parent=lo"),
    "parent-missing": (3, f"{MAC} parent=eth9"),
    "parent-vlan-zero": (2, f"{MAC} parent=eth5.0"),
    "parent-vlan-large": (2, f"{MAC} parent=eth5.4095"),
    "parent-vlan-word": (2, f"{MAC} parent=eth5.ten"),
    "parent-vlan-negative": (2, f"{MAC} parent=eth5.-5"),
    "parent-vlan-no-number": (2, f"{MAC} parent=eth5."),
    "parent-vlan-no-parent": (2, f"{MAC} parent=.10"),
    "parent-vlan-of-missing": (3, f"{MAC} parent=eth9.10"),
    "parent-vlan-of-loopback": (2, f"{MAC} parent=lo.10"),
    "parent-vlan-name-long": (2, f"{MAC} parent=a-long-ifname1.10"),
    "parent-blank": (3, f"{MAC} 'parent=eth5 '"),
    "parent-is-port": (4, f"{MAC} parent=eth2"),
    "parent-of-passthru": (4, f"{MAC} parent=eth3"),
    "parent-shared-by-passthru": (4, f"{MAC} parent=eth1 -o macvlan_mode=passthru"),
    "parent-of-macvlan": (4, f"{IPV} parent=eth1"),
    "parent-of-ipvlan": (4, f"{MAC} parent=eth4"),
    "parent-of-ipvlan-twice": (4, f"{IPV} parent=eth4"),
    "host-access-not-boolean": (2, f"{MAC} parent=eth5 -o host_access=yes"),
    "host-access-passthru": (2, f"{MAC} parent=eth5 -o host_access=true -o macvlan_mode=passthru"),
    "host-access-vepa": (2, f"{MAC} parent=eth5 -o host_access=1 -o macvlan_mode=vepa"),
    "mtu-of-parent": (2, f"{MAC} parent=eth5 -o com.docker.network.driver.mtu=9000"),
    "subnet-of-other": (4, "net create x -d macvlan -o parent=eth5 --subnet 10.77.0.0/25"),
    "gateway-outside": (2, f"{MAC} parent=eth5 --gateway 10.9.0.1"),
    "second-on-passthru": (125, "run --rm --net own true"),
    "connect-second-on-passthru": (4, "net connect own web"),
    "mac-on-ipvlan": (125, "run --rm --net stood --mac-address 02:42:ac:00:00:07 true"),
    "mac-multicast": (125, f"{RUN} --mac-address 01:00:5e:00:00:01 true"),
    "ip-of-router": (125, f"{RUN} --ip 10.77.0.1 true"),
    "ip-used": (125, f"{RUN} --ip 10.77.0.2 true"),
    "ip-outside": (125, f"{RUN} --ip 10.78.0.2 true"),
    "net-rm-in-use": (4, "net rm wire"),
    "dhcp-on-bridge": (2, "net create x --ipam-driver dhcp"),
    "dhcp-on-ipvlan": (2, "net create x -d ipvlan -o parent=eth5 --ipam-driver dhcp"),
    "dhcp-without-parent": (2, "net create x -d macvlan --ipam-driver dhcp"),
    "dhcp-subnet": (2, f"{MAC} parent=eth5 --ipam-driver dhcp"),
    "dhcp-range": (2, f"{LENT} --ip-range 10.1.0.0/25"),
    "dhcp-gateway": (2, f"{LENT} --gateway 10.1.0.1"),
    "dhcp-aux": (2, f"{LENT} --aux-address printer=10.1.0.9"),
    "dhcp-ipv6": (2, f"{LENT} --ipv6"),
    "dhcp-no-ipv4": (2, f"{LENT} --ipv4=false --ipv6"),
    "dhcp-parent-missing": (3, "net create x -d macvlan -o parent=eth9 --ipam-driver dhcp"),
    "dhcp-ip-not-address": (125, "run --rm --net lent --ip 10.1.0 true"),
    "dhcp-ip6": (125, "run --rm --net lent --ip6 fd00::9 true"),
    "dhcp-ip-of-stopped": (125, "run --rm --net lent --ip 10.1.0.9 true"),
    "dhcp-connect-ip6": (2, "net connect --ip6 fd00::9 lent web"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Interfaces, free and taken."""
    with world_of(tmp_path_factory.mktemp("world")) as host:
        for name in ("eth1", "eth2", "eth3", "eth4", "eth5", "eth6", "a-long-ifname1"):
            host.shell(f"ip link add {name} type veth; ip link set {name} up")
        host.shell("ip link add br9 type bridge; ip link set eth2 master br9")
        for words in ("wire -d macvlan -o parent=eth1 --subnet 10.77.0.0/24 --gateway 10.77.0.1",
                      "own -d macvlan -o parent=eth3 -o macvlan_mode=passthru --subnet 10.79.0.0/24",
                      "lent -d macvlan -o parent=eth6 --ipam-driver dhcp",
                      "stood -d ipvlan -o parent=eth4 --subnet 10.80.0.0/24"):
            host.minidock("net", "create", *words.split())
        host.minidock("create", "--name", "fixed", "--net", "lent", "--ip", "10.1.0.9", "true")
        host.minidock("run", "-d", "--name", "web", "--net", "wire", "sleep", "1000")
        host.minidock("run", "-d", "--name", "only", "--net", "own", "sleep", "1000")
        yield host


@pytest.mark.parametrize("name", CASES)
def test_the_mistake_is_told_and_nothing_changes(name: str, world: Host) -> None:
    """Exit code, words on stderr, nothing on stdout; the same kernel, the same rows, the same processes."""
    blame(f"l2-{name}", *CASES[name], world, {})
