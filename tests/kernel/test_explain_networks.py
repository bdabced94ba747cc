"""Explain equals apply for IPv6, several networks, and what changes while a container runs.

A play is what is there before, and commands in their order; at its end everything is removed, step by step too.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from minidock.model.record import Record
from tests.closeup import difference
from tests.ground import Host, fresh_host
from tests.kernel.tale import Tale

BRIDGE = "-o com.docker.network.bridge"
FOUR, SIX = "--subnet 172.28.0.0/16", "--ipv6 --subnet fd00:28::/64"
ONLY_SIX = f"{SIX} --ipv4=false"
FORWARDING6 = "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1"
SHARED = "ip link add shared address 02:00:00:00:00:77 type bridge"
RUN = "run -d --name c1 --net br0"
PORTS = "-p 8080:80 -p 5300-5302:53-55/udp -p 9000-9009:7000-7009 -p [::1]:8081:80 -p [::]:8082:80 -p 127.0.0.1:8083:80"
BACK = "net create back --subnet 172.29.0.0/16 --ipv6 --subnet fd00:29::/64"
SIDE = "net create side --internal --subnet 172.30.0.0/16"


class Play(Record):
    """What is there before, and what is played."""

    acts: tuple[str, ...]
    before: str = ":"
    lasting: frozenset[str] = frozenset()  # where the host differs at the end


def alone(create: str, run: str = "", before: str = ":", lasting: frozenset[str] = frozenset()) -> Play:
    """One network, one container."""
    return Play((f"net create br0 {create}", f"{RUN} {run} sleep 100"), before, lasting)


PLAYS = {
    "dual": alone(f"{FOUR} {SIX}"),
    "dual-chosen": alone("--ipv6"),
    "six-only": alone(ONLY_SIX),
    "six-only-fixed": alone(ONLY_SIX, "--ip6 fd00:28::99 --mac-address 02:42:ac:1c:09:09"),
    "dual-forwarding": alone(f"{FOUR} {SIX}", before=FORWARDING6),
    "dual-closed": alone(f"{FOUR} {SIX}", before="ip6tables -P FORWARD DROP"),
    "six-internal": alone(f"{FOUR} {SIX} --internal"),
    "six-only-internal": alone(f"{ONLY_SIX} --internal"),
    "isolated-four": alone(f"{FOUR} {SIX} --internal {BRIDGE}.gateway_mode_ipv4=isolated"),
    "isolated-six": alone(f"{FOUR} {SIX} --internal {BRIDGE}.gateway_mode_ipv6=isolated"),
    "isolated-both": alone(f"{FOUR} {SIX} --internal {BRIDGE}.gateway_mode_ipv4=isolated"
                           f" {BRIDGE}.gateway_mode_ipv6=isolated"),
    "routed-six": alone(f"{FOUR} {SIX} {BRIDGE}.gateway_mode_ipv6=routed", PORTS),
    "unprotected-six": alone(f"{FOUR} {SIX} {BRIDGE}.gateway_mode_ipv6=nat-unprotected", PORTS),
    "published": alone(f"{FOUR} {SIX}", PORTS),
    "published-six-only": alone(ONLY_SIX, "-p 8080:80 -p [::1]:8081:80"),
    "host-address-six": alone(f"{FOUR} {SIX} -o com.docker.network.host_ipv6=2001:db8::2"),
    "no-icc": alone(f"{FOUR} {SIX} {BRIDGE}.enable_icc=false"),
    "adopted": alone(f"{FOUR} {SIX} {BRIDGE}.name=shared", before=f"{SHARED} && ip link set shared up"),
    "adopted-with-address": alone(
        f"{FOUR} {SIX} {BRIDGE}.name=shared", before=f"{SHARED} && ip link set shared up && "
        "ip addr add 172.28.0.1/16 brd + dev shared && ip -6 addr add fd00:28::1/64 dev shared nodad"),
    "two": Play((f"net create br0 {FOUR}", BACK, f"{RUN} --net name=back,gw-priority=1 -p 8080:80 sleep 100")),
    "three": Play((f"net create br0 {FOUR} {SIX}", BACK, SIDE,
                   RUN + " --net name=back,ip=172.29.7.7,ip6=fd00:29::77,mac-address=02:42:ac:1d:07:07,gw-priority=2"
                   " --net name=side,driver-opt=com.docker.network.endpoint.ifname=lan9"
                   " --ip6 fd00:28::5 --link-local-ip 169.254.9.9 -p 8080:80 sleep 100")),
    "endpoint-sysctls": Play((f"net create br0 {FOUR} {SIX}", BACK,
                              RUN + " --net name=back,driver-opt=com.docker.network.endpoint.sysctls="
                              "net.ipv4.conf.IFNAME.log_martians=1,link-local-ip=fe80::9 sleep 100")),
    "connect": Play((f"net create br0 {FOUR}", BACK, SIDE, f"{RUN} -p 8080:80 -p 5353:53/udp sleep 100",
                     "net connect back c1", "net connect --gw-priority 3 --ip 172.30.9.9 side c1",
                     "net disconnect back c1", "net connect --gw-priority 9 --ip6 fd00:29::9 back c1",
                     "net disconnect br0 c1", "net disconnect side c1", "net disconnect back c1",
                     "net connect br0 c1")),
    "connect-to-names": Play((f"net create br0 {FOUR}", "run -d --name c1 -p 8080:80 sleep 100",
                              "net connect br0 c1", "net disconnect br0 c1", "net connect br0 c1",
                              "net disconnect bridge c1")),
    "ports": Play((f"net create br0 {FOUR} {SIX}", f"{RUN} -p 8080:80 -p 5353:53/udp sleep 100",
                   f"{RUN.replace('c1', 'c2')} -p 7070:70 sleep 100", "port add c1 8443:443 [::1]:9090:90",
                   "port rm c1 80", "port add c2 80", "port rm c1 53/udp 443 [::1]:9090:90", "port add c1 8080:80",
                   "rm -f c2")),
    "shared": Play((f"net create br0 {FOUR} {SIX}", f"{RUN} -p 8080:80 sleep 100",
                    "run -d --name c2 --net container:c1 sleep 100", "rm -f c2")),
}


@pytest.fixture(autouse=True)
def seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hosts make the same choices."""
    monkeypatch.setenv("MINIDOCK_SEED", "explain equals apply")


def _told(play: Play, tmp_path: Path) -> Tale:
    tale, nets = Tale(), [act.split()[2] for act in play.acts if act.startswith("net create")]
    with fresh_host(tmp_path / "engine") as host:
        host.shell(play.before)
        tale.look(host)
        for act in (*play.acts, "rm -f c1", *(f"net rm {name}" for name in nets), "system reset -f"):
            tale.act_as_told(host, *shlex.split(act))
    return tale


@pytest.mark.parametrize("name", PLAYS)
def test_the_printed_commands_make_what_the_engine_makes(name: str, tmp_path: Path) -> None:
    """Act by act: the story kept is the story promised, and the hosts look alike; at the end all is as before."""
    play = PLAYS[name]
    tale = _told(play, tmp_path)
    with fresh_host(tmp_path / "script") as host:
        host.shell(play.before)
        tale.retell(host)
    left = difference(tale.chapters[0][1], tale.chapters[-1][1])
    assert {line.partition(":")[0] for line in left} == play.lasting, "\n".join(left)


def test_devices_are_told_attribute_by_attribute(host: Host) -> None:
    """Of a network its bridge: its name, MTU and kind; no counters, which the kernel answers too."""
    name = f"br-{host.minidock('net', 'create', '-o', 'com.docker.network.driver.mtu=1400', 'br0').stdout[:12]}"
    rows = [line.split() for line in host.minidock("explain", "--netlink", "br0").stdout.splitlines()]
    assert ["RTM_GETLINK", name] in rows
    for row in (["IFLA_IFNAME", name], ["IFLA_MTU", "1400"], ["IFLA_INFO_KIND", "bridge"]):
        assert row in rows
    assert not [row for row in rows if row and row[0] in ("IFLA_STATS", "IFLA_STATS64")]
