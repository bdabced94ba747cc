"""Explain equals apply: the printed commands, run by a shell on one host, make what the engine makes on another.

And the way back. A case is what is there before, what `net create` gets, and what a container on it gets; later
drivers add lines to the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.closeup import closeup, difference
from tests.ground import Host, fresh_host
from tests.kernel.tale import Tale

OPTION = "com.docker.network."
SUBNET = ("--subnet", "172.28.0.0/16")
FORWARDING = "sysctl -qw net.ipv4.ip_forward=1"
UNFILTERED = "sysctl -qw net.bridge.bridge-nf-call-iptables=0"
SHARED = "ip link add shared address 02:00:00:00:00:77 type bridge"
ADOPTED = (*SUBNET, "-o", f"{OPTION}bridge.name=shared")
WIRE = ("ip link add eth1 address 02:00:00:00:00:71 type veth peer name p0 address 02:00:00:00:00:72;"
        "ip link set p0 up; ip link set eth1 up")
ON_WIRE = ("-d", "macvlan", "-o", "parent=eth1")

# name: (what is there before, words of `net create` (None: a predefined network is used), words of `run`)
CASES: dict[str, tuple[str, tuple[str, ...] | None, tuple[str, ...]]] = {
    "plain": ("", SUBNET, ("--net", "br0")),
    "plain-forwarding": (FORWARDING, SUBNET, ("--net", "br0")),
    "plain-closed": ("iptables -P FORWARD DROP", SUBNET, ("--net", "br0")),
    "chosen-subnet": ("", (), ("--net", "br0")),
    "internal": ("", (*SUBNET, "--internal"), ("--net", "br0")),
    "internal-forwarding": (FORWARDING, (*SUBNET, "--internal"), ("--net", "br0")),
    "internal-no-icc": ("", (*SUBNET, "--internal", "-o", f"{OPTION}bridge.enable_icc=false"), ("--net", "br0")),
    "no-icc": ("", (*SUBNET, "-o", f"{OPTION}bridge.enable_icc=false"), ("--net", "br0")),
    "no-icc-unfiltered": (UNFILTERED, (*SUBNET, "-o", f"{OPTION}bridge.enable_icc=false"), ("--net", "br0")),
    "no-masquerade": ("", (*SUBNET, "-o", f"{OPTION}bridge.enable_ip_masquerade=false"), ("--net", "br0")),
    "mtu": ("", (*SUBNET, "-o", f"{OPTION}driver.mtu=1400"), ("--net", "br0")),
    "bridge-name": ("", (*SUBNET, "-o", f"{OPTION}bridge.name=lab"), ("--net", "br0")),
    "adopted": (SHARED, ADOPTED, ("--net", "br0")),
    "adopted-up": (f"{SHARED} && ip link set shared up", ADOPTED, ("--net", "br0")),
    "adopted-with-address": (f"{SHARED} && ip addr add 172.28.0.1/16 brd + dev shared && ip link set shared up",
                             ADOPTED, ("--net", "br0")),
    "ifname-prefix": ("", (*SUBNET, "-o", f"{OPTION}container_iface_prefix=net"), ("--net", "br0")),
    "gateway-and-range": ("", (*SUBNET, "--gateway", "172.28.5.254", "--ip-range", "172.28.5.0/24"),
                          ("--net", "br0")),
    "smallest": ("", ("--subnet", "172.28.0.0/30"), ("--net", "br0")),
    "fixed-address": ("", SUBNET, ("--net", "br0", "--ip", "172.28.9.9", "--mac-address", "02:42:ac:1c:09:09")),
    "published": ("", SUBNET, ("--net", "br0", "-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "5300-5302:53-55/udp",
                               "-p", "9000-9019:7000-7019", "-p", "127.0.0.2:53:53/udp")),
    "published-unfiltered": (UNFILTERED, SUBNET, ("--net", "br0", "-p", "8080:80")),
    "published-by-choice": ("", (), ("--net", "br0", "-P", "--expose", "80-81", "-p", "99/udp")),
    "published-on-loopback": ("", (*SUBNET, "-o", f"{OPTION}bridge.host_binding_ipv4=127.0.0.1"),
                              ("--net", "br0", "-p", "8080:80")),
    "published-in-vain": ("", (*SUBNET, "--internal"), ("--net", "br0", "-p", "8080:80")),
    "routed": ("", (*SUBNET, "-o", f"{OPTION}bridge.gateway_mode_ipv4=routed"), ("--net", "br0", "-p", "8080:80")),
    "nat-unprotected": ("", (*SUBNET, "-o", f"{OPTION}bridge.gateway_mode_ipv4=nat-unprotected"),
                        ("--net", "br0", "-p", "8080:80")),
    "isolated": ("", (*SUBNET, "--internal", "-o", f"{OPTION}bridge.gateway_mode_ipv4=isolated"), ("--net", "br0")),
    "inhibited": ("", (*SUBNET, "-o", f"{OPTION}bridge.inhibit_ipv4=true"), ("--net", "br0")),
    "host-address": ("", (*SUBNET, "-o", f"{OPTION}host_ipv4=198.51.100.2"), ("--net", "br0")),
    "trusted": ("", (*SUBNET, "-o", f"{OPTION}bridge.trusted_host_interfaces=up0:up1"), ("--net", "br0")),
    "users-own-rule": ("iptables -N MINIDOCK-USER && iptables -A MINIDOCK-USER -s 10.9.0.0/16 -j DROP", SUBNET,
                       ("--net", "br0")),
    "macvlan": (WIRE, (*ON_WIRE, *SUBNET), ("--net", "br0")),
    "macvlan-private": (WIRE, (*ON_WIRE, *SUBNET, "--gateway", "172.28.0.254", "-o", "macvlan_mode=private", "-o",
                               f"{OPTION}driver.mtu=1400"), ("--net", "br0", "--mac-address", "02:42:ac:1c:09:09")),
    "macvlan-passthru": (WIRE, (*ON_WIRE, *SUBNET, "-o", "macvlan_mode=passthru"), ("--net", "br0")),
    "macvlan-host-access": (WIRE, (*ON_WIRE, *SUBNET, "-o", "host_access=true"), ("--net", "br0")),
    "macvlan-internal": (WIRE, (*ON_WIRE, *SUBNET, "--gateway", "172.28.0.1", "--internal"), ("--net", "br0")),
    "macvlan-several": (WIRE, (*ON_WIRE, *SUBNET, "--subnet", "172.27.0.0/16", "--gateway", "172.27.0.254", "--ipv6",
                               "--subnet", "fd00:27::/64", "--gateway", "fd00:27::1"),
                        ("--net", "br0", "--ip", "172.27.0.9")),
    "ipvlan-nowhere": ("", ("-d", "ipvlan", *SUBNET), ("--net", "br0")),
    "ipvlan-vlan": (WIRE, ("-d", "ipvlan", "-o", "parent=eth1.10", "-o", "ipvlan_mode=l3s", "-o", "ipvlan_flag=vepa",
                           *SUBNET), ("--net", "br0")),
    "default-network": ("", None, ()),
    "default-network-forwarding": (FORWARDING, None, ()),
    "none": ("", None, ("--net", "none")),
    "none-forwarding": (FORWARDING, None, ("--net", "none")),
    "host": ("", None, ("--net", "host")),
    "host-forwarding": (FORWARDING, None, ("--net", "host")),
}

NEEDS = {"ipvlan-nowhere": ("ipvlan", "dummy", "nat"), "ipvlan-vlan": ("ipvlan", "vlan", "nat")}

# What stays when all is removed: a foreign bridge that was down is left up, and bridged frames stay visible to
# iptables, for others may count on it by now.
LASTING = {
    "adopted": {"/host/links/shared/flags", "/host/links/shared/qdisc"},
    "published-unfiltered": {"/host/sysctls//proc/sys/net/bridge/bridge-nf-call-iptables"},
    "no-icc-unfiltered": {"/host/sysctls//proc/sys/net/bridge/bridge-nf-call-iptables"},
}


@pytest.fixture(autouse=True)
def seed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both hosts make the same choices."""
    monkeypatch.setenv("MINIDOCK_SEED", "explain equals apply")
    yield


def _told(tmp_path: Path, name: str) -> Tale:
    before, create, run = CASES[name]
    tale = Tale()
    with fresh_host(tmp_path / "engine") as host:
        host.shell(before or ":")
        tale.look(host)
        if create is not None:
            tale.act(host, "net", "create", "br0", *create)
        tale.act(host, "run", "-d", "--name", "c1", *run, "sleep", "100")
        tale.act(host, "rm", "-f", "c1")
        if create is not None:
            tale.act(host, "net", "rm", "br0")
        tale.act(host, "system", "reset", "-f")
    return tale


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.kernel(*NEEDS.get(name, ()))) for name in CASES])
def test_the_printed_commands_make_what_the_engine_makes(name: str, tmp_path: Path) -> None:
    """Step by step: create, run, rm -f, net rm, reset; after each the two hosts and their sandboxes look alike."""
    tale = _told(tmp_path, name)
    with fresh_host(tmp_path / "script") as host:
        host.shell(CASES[name][0] or ":")
        tale.retell(host)
    left = difference(tale.chapters[0][1], tale.chapters[-1][1])
    assert {line.partition(":")[0] for line in left} == LASTING.get(name, set()), "\n".join(left)


def test_a_closeup_sees_what_it_must_see(host: Host) -> None:
    """The comparison can fail: a hairpin flag, a sysctl, a rule, a route and an alias are all noticed."""
    host.minidock("net", "create", "br0", *SUBNET, "-o", f"{OPTION}bridge.name=lab")
    host.minidock("run", "-d", "--name", "c1", "--net", "br0", "sleep", "100")
    (sandbox,) = host.picture()["sandboxes"]  # type: ignore[misc]
    port = host.shell("ip -o link show master lab").split()[1].partition("@")[0]
    before = closeup(host)
    for change in (f"bridge link set dev {port} hairpin off", "sysctl -qw net.ipv4.conf.lab.route_localnet=0",
                   f"ip netns exec {sandbox} sysctl -qw net.ipv4.conf.eth0.arp_notify=0",
                   "iptables -D MINIDOCK-USER -j RETURN 2>/dev/null; iptables -I FORWARD -s 1.2.3.4 -j DROP",
                   f"ip -n {sandbox} route del default", f"ip link set {port} alias other"):
        host.shell(change)
        after = closeup(host)
        assert difference(before, after), change
        before = after


def test_the_process_of_a_container_is_one_labelled_line(host: Host) -> None:
    """The script holds it as a comment, for it would not end; nothing else of the script is one."""
    host.minidock("net", "create", "br0", *SUBNET)
    words = ("run", "-d", "--name", "c1", "--net", "br0", "--dry-run", "--script", "-", "sleep", "100")
    script = host.minidock(*words).stdout
    labelled = [line for line in script.splitlines() if line.startswith("# process: ")]
    assert len(labelled) == 1
    assert "sleep 100" in labelled[0]
    assert not [line for line in script.splitlines() if "sleep 100" in line and not line.startswith("#")]


@pytest.mark.parametrize("words", [("net", "create", "br0", *SUBNET), ("run", "--name", "c1", "true"),
                                   ("run", "-d", "--name", "c1", "--net", "none", "true")])
def test_a_rehearsal_on_a_fresh_host_does_nothing_to_the_kernel(host: Host, words: tuple[str, ...]) -> None:
    """The first command of all may be a --dry-run; control: the same command without it changes the picture."""
    before = closeup(host)
    at = len(words) - 1 if words[0] == "run" else len(words)
    told = host.minidock(*words[:at], "--dry-run", *words[at:]).stdout
    assert "operations would be done" in told
    assert not difference(before, closeup(host))
    assert not host.minidock("ps", "-aq").stdout
    during = host.minidock(*words[:at], "--explain", *words[at:])
    assert "operations done" in during.stderr
    if words[0] == "net":
        assert difference(before, closeup(host))


def test_the_script_of_the_deed_is_the_script_of_the_rehearsal(host: Host) -> None:
    """What --script writes while doing it is what --dry-run --script printed before."""
    for at, words in ((3, ("net", "create", "br0", *SUBNET)), (2, ("run", "-d", "--name", "c1", "sleep", "9"))):
        telling = ("--script", "-") if words[0] == "net" else ("--script", f"{host.directory}/script")
        told = host.minidock(*words[:at], "--dry-run", "--script", "-", *words[at:]).stdout
        deed = host.minidock(*words[:at], *telling, *words[at:]).stdout
        if words[0] == "run":
            deed = (host.directory / "script").read_text()
        assert deed.partition("#!")[2] == told.partition("#!")[2]
