"""Beside the real ufw, firewalld, systemd-networkd, NetworkManager and udev: what they do to us, and we to them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.kernel import foreign, nft_read
from minidock.kernel.handle import Kernel
from tests.beside import FILES, Beside, installed
from tests.ground import Host, until

pytestmark = [pytest.mark.unpacked("neighbours"), pytest.mark.real_root]

BR0 = ("net", "create", "br0", "--subnet", "172.28.0.0/16")
WEB = ("run", "-d", "--name", "web", "--net", "br0", "-p", "8080:80", "python3", "-m", "http.server", "80")
OUT = ("run", "--rm", "--net", "br0", "curl", "-s", "-m1", "-o/dev/null", "http://203.0.113.10")
WILDCARD = "[Match]\nName=*\n[Network]\nDHCP=yes\n"  # a careless administrator's
KEEP_OFF_NETWORKD = (FILES / "05-minidock.network").read_text()
KEEP_OFF_NETWORK_MANAGER = (FILES / "NetworkManager-minidock.conf").read_text()


@pytest.fixture
def beside(host: Host, outside: str) -> Iterator[Beside]:
    """The programs are there; outside serves web pages, and so does the host at port 9000."""
    servers = [subprocess.Popen([*inside, "python3", "-m", "http.server", port], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
               for inside, port in ((("ip", "netns", "exec", outside), "80"), ((), "9000"))]
    with installed(host) as programs:
        yield programs
    for server in servers:
        server.kill()
        server.wait()


@pytest.fixture
def web(beside: Beside) -> Beside:
    """A container that serves at port 8080 of the host; all is well."""
    beside.host.minidock(*BR0)
    beside.host.minidock(*WEB)
    until(lambda: arrives(beside.host, 8080) and arrives(beside.host, 9000), bool)
    assert works(beside.host) == (True, True)
    return beside


def arrives(host: Host, port: int) -> bool:
    """Does somebody outside get an answer from that port of the host?"""
    return "200" in host.shell(f"ip netns exec outside curl -s -m1 -o /dev/null -w '%{{http_code}}'"
                               f" http://198.51.100.2:{port}", check=False)


def works(host: Host) -> tuple[bool, bool]:
    """(a container gets out, outside gets to the published port)"""
    return host.minidock(*OUT, check=False).returncode == 0, arrives(host, 8080)


def ours() -> list[tuple[str, ...]]:
    """Every rule of ours, in order."""
    kernel = Kernel()
    try:
        return [(own.table, own.chain, own.comment, own.spec) for own in nft_read.owned(kernel.netfilter())]
    finally:
        kernel.close()


def refusing_zone(device: str) -> str:
    kernel = Kernel()
    try:
        return foreign.refusing_zone(kernel.netfilter(), device)
    finally:
        kernel.close()


def ufw_rules(host: Host) -> list[str]:
    """And the policies it sets."""
    return [line for line in host.shell("iptables -S").splitlines() if "ufw" in line or line.startswith("-P")]


def info(host: Host, key: str) -> str:
    found = re.search(rf"^{key}: +(.*)$", host.minidock("system", "info").stdout, re.MULTILINE)
    assert found
    return found[1]


def typed(host: Host, hint: str, command: str, old: str = "", new: str = "") -> None:
    """Type what a hint tells us to type, with our own values."""
    found = re.search(rf"{command} [^;\n]*", hint)
    assert found, hint
    host.shell(found[0].replace(old, new) if old else found[0])


def test_ufw_comes_and_goes(web: Beside) -> None:
    """Our rules and what they do outlive it; port 9000 of the host shows that it does rule."""
    before = ours()
    web.install_ufw()
    for command, host_is_reached in (("--force enable", False), ("reload", False), ("--force disable", True)):
        web.host.shell(f"ufw {command}")
        assert (works(web.host), arrives(web.host, 9000)) == ((True, True), host_is_reached), command
        assert ours() == before, command
        assert info(web.host, "Other firewalls") == ("none" if host_is_reached else "ufw")
        # Disabled, ufw leaves all open, and the host forwards: for containers only.
        told = "policy DROP of iptables FORWARD: was changed: set again" if host_is_reached else "nothing to repair"
        assert web.host.minidock("system", "repair").stdout == f"{told}\n"
        assert "-P FORWARD DROP" in web.host.shell("iptables -S FORWARD")


def test_ufw_that_came_later_keeps_its_policy(web: Beside) -> None:
    """A reset of ours opens nothing that ufw closed. Control: without ufw the policy of before us is put back."""
    host = web.host
    web.install_ufw()
    host.shell("ufw --force enable")
    rules = ufw_rules(host)
    assert "-P FORWARD DROP" in rules
    host.minidock("system", "reset", "-f")
    assert ufw_rules(host) == rules
    host.shell("ufw --force disable")
    host.minidock(*BR0)
    assert "-P FORWARD DROP" in ufw_rules(host)
    host.minidock("system", "reset", "-f")
    assert "-P FORWARD ACCEPT" in ufw_rules(host)


def test_ufw_does_not_notice_us(beside: Beside) -> None:
    """Its rules are the same whatever we do, and they rule."""
    host = beside.host
    beside.install_ufw()
    host.shell("ufw --force enable")
    rules = ufw_rules(host)
    assert len(rules) > 50
    for words in (BR0, WEB, OUT, ("rm", "-f", "web"), ("net", "rm", "br0"), ("system", "repair"),
                  ("system", "reset", "-f")):
        host.minidock(*words)
        assert ufw_rules(host) == rules, words
    assert not arrives(host, 9000)
    host.shell("ufw allow 9000/tcp")
    assert arrives(host, 9000)


def test_who_publishes_under_ufw_is_told(beside: Beside) -> None:
    """And what the hint says to type keeps strangers out, but not those named, and no answer to the container."""
    host = beside.host
    beside.install_ufw()
    host.minidock(*BR0)
    quiet = ("run", "--rm", "--net", "br0", "-p")
    assert "WARNING" not in host.minidock(*quiet, "8081:80", "true").stderr  # ufw is there, but not enabled
    host.shell("ufw --force enable")
    assert "WARNING" not in host.minidock(*quiet, "127.0.0.1:8081:80", "true").stderr
    told = host.minidock(*WEB).stderr
    assert "0.0.0.0:8080->80/tcp: reached by this host, its neighbours, " in told
    assert "\nWARNING: ufw's rules for incoming packets do not guard 0.0.0.0:8080/tcp: " in told
    assert until(lambda: arrives(host, 8080), bool)
    typed(host, told, "iptables")
    assert works(host) == (True, False)
    assert re.search("its neighbours +some +iptables -t filter -A MINIDOCK-USER ! -s 192.0.2.0/24",
                     host.minidock("port", "web", "--who").stdout)
    host.shell("iptables -F MINIDOCK-USER")
    typed(host, told, "iptables", "192.0.2.0/24", "198.51.100.0/24")
    assert works(host) == (True, True)


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_firewalld(web: Beside, backend: str) -> None:
    """It may flush our rules when it comes and when it reloads: repair. Its own table may refuse: the hint helps."""
    host = web.host
    bridge = host.shell("ls /sys/class/net | grep br-").strip()
    assert refusing_zone(bridge) == ""
    web.start_firewalld(backend)
    host.minidock("system", "repair")
    refuses = backend == "nftables"
    assert (works(host), arrives(host, 9000)) == ((not refuses, True), False)
    assert info(host, "Other firewalls") == f"firewalld ({backend})"
    assert refusing_zone(bridge) == ("public" if refuses else "")
    told = host.minidock("net", "create", "br1").stderr
    assert ("its zone public" in told) == refuses
    host.minidock("net", "rm", "br1")
    if refuses:
        typed(host, told, "firewall-cmd")
        typed(host, told, "firewall-cmd --permanent")
    assert works(host) == (True, True)
    host.shell("firewall-cmd --reload")
    host.minidock("system", "repair")
    assert works(host) == (True, True)
    assert refusing_zone(bridge) == ""
    assert host.minidock("net", "create", "br1").stderr == ""
    assert "firewalld's rules" in host.minidock("run", "--rm", "--net", "br0", "-p", "8081:80", "true").stderr


def test_repair_after_somebody_restored_a_whole_ruleset(web: Beside) -> None:
    """iptables-restore takes away all that is not in its file; outside notices, and after the repair no more."""
    host = web.host
    host.shell("iptables-restore <<< $'*nat\\nCOMMIT\\n*raw\\nCOMMIT\\n*filter\\n:FORWARD ACCEPT\\nCOMMIT'")
    assert not any(works(host))
    assert arrives(host, 9000)
    host.minidock("system", "repair")
    assert works(host) == (True, True)


def in_bridge(host: Host) -> bool:
    """Has the container's cable its master?"""
    return "master br-" in host.shell("ip link show group 7777 type veth")


def test_networkd_with_a_wildcard_pulls_the_cable(web: Beside) -> None:
    """Why our file is needed, and the control of the next test."""
    web.start_networkd(WILDCARD)
    assert not until(lambda: in_bridge(web.host), lambda there: not there)
    assert not arrives(web.host, 8080)
    assert info(web.host, "Network managers") == "systemd-networkd"


def test_networkd_keeps_off(web: Beside) -> None:
    """With our file it holds only up0, which it has like before; containers come and go unharmed."""
    web.start_networkd(KEEP_OFF_NETWORKD, WILDCARD)
    host = web.host
    host.minidock("restart", "-t", "0", "web")
    states = until(lambda: host.shell("networkctl list --no-legend"), lambda text: re.search("up0.*config", text))
    assert re.search(r"up0 .*configur", states), states
    assert len(re.findall(r"(?:veth|br-).*unmanaged", states)) == 2, states
    assert in_bridge(host)
    assert until(lambda: arrives(host, 8080), bool)
    assert works(host) == (True, True)


@pytest.mark.parametrize("configuration", [(), (KEEP_OFF_NETWORK_MANAGER,)], ids=["alone", "with our file"])
def test_network_manager(web: Beside, configuration: tuple[str, ...]) -> None:
    """Alone it only looks at what others made; with our file it does not even do that."""
    web.start_network_manager(*configuration)
    host = web.host
    host.minidock("restart", "-t", "0", "web")
    want = {"unmanaged"} if configuration else {"connected (externally)"}

    def states() -> list[str]:
        lines = host.shell("nmcli -t -f device,state device").splitlines()
        return [state for name, _, state in (line.partition(":") for line in lines) if re.match("br-|veth", name)]

    assert until(states, lambda seen: len(seen) == 2 and set(seen) == want) and set(states()) == want
    assert until(lambda: arrives(host, 8080), bool)
    assert works(host) == (True, True)
    assert host.minidock("system", "repair").stdout == "nothing to repair\n"
    assert info(host, "Network managers") == "NetworkManager"


def test_udev_leaves_our_macs_alone(web: Beside) -> None:
    """MACAddressPolicy=persistent replaces a MAC that chance gave (the control), not one that its maker chose."""
    web.host.shell("ip link add control type bridge")
    for device in web.host.shell("ls /sys/class/net").split():
        if not re.match("control|br-|veth", device):
            continue
        address = Path(f"/sys/class/net/{device}/address")
        before = address.read_text()
        web.host.shell(f"udevadm test-builtin net_setup_link /sys/class/net/{device} 2>&1")
        assert (address.read_text() == before) == (device != "control"), device
