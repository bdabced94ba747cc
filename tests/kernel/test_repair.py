"""`minidock system repair` after somebody else's hand: everything of ours comes back, nothing of theirs moves."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from minidock.app import repair
from minidock.app.context import App
from minidock.drivers import bridge
from minidock.engine import Engine
from minidock.kernel import nft, nft_read
from minidock.kernel.handle import Kernel
from minidock.model.network import Network, Pool
from minidock.objects import KernelObject
from minidock.store.locks import locked
from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, tidied

QUIET = "nothing to repair\n"
PINGS = ("ping", "-c1", "-W1")
FOREIGN = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:THEIRS - [0:0]
-A FORWARD -s 192.0.2.1/32 -j DROP
-A FORWARD -j THEIRS
-A THEIRS -s 192.0.2.2/32 -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 192.0.2.3/32 -j ACCEPT
COMMIT
"""


@pytest.fixture
def ready(host: Host, outside: str) -> Iterator[Host]:
    """Two networks, a container on each, a rule of the user's, and foreign rules before and after ours."""
    host.shell("iptables -A FORWARD -s 192.0.2.10 -j DROP")
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    host.minidock("net", "create", "quiet", "--internal", "--subnet", "172.29.0.0/16")
    host.shell("iptables -A FORWARD -s 192.0.2.11 -j DROP; iptables -I FORWARD -s 192.0.2.12 -j DROP;"
               "iptables -A MINIDOCK-USER -s 192.0.2.13 -j DROP")
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "600")
    host.minidock("run", "-d", "--name", "inner", "--net", "quiet", "sleep", "600")
    yield host
    host.minidock("rm", "-f", "web", "inner", check=False)


def bridge_of(host: Host, name: str = "br0") -> str:
    short = host.minidock("net", "ls", "--format", "json").stdout
    line = next(line for line in short.splitlines() if f'"{name}"' in line)
    return "br-" + line.split('"ID":"')[1][:12]


def veth_of(host: Host) -> str:
    return host.shell(f"ls /sys/class/net >/dev/null; ip -o link show master {bridge_of(host)}"
                      " | awk -F'[ :@]+' '{print $2}'").strip()


def sandbox_of(host: Host, name: str = "web") -> str:
    ids = host.minidock("ps", "--no-trunc", "--format", "json").stdout
    line = next(line for line in ids.splitlines() if f'"{name}"' in line)
    return "md-" + line.split('"ID":"')[1][:12]


def view(host: Host) -> dict[str, object]:
    """The host, and the inside of both sandboxes."""
    inside = [host.shell(f"ip -n {name} -o -4 addr | sed -E 's/^[0-9]+: //'; ip -n {name} route;"
                         f"ip -n {name} link show eth0 | grep -o ether.*;"
                         f"ip netns exec {name} sysctl net.ipv4.conf.eth0.arp_notify net.ipv6.conf.eth0.disable_ipv6")
              for name in (sandbox_of(host), sandbox_of(host, "inner"))]
    ports = host.shell("bridge -d link | grep -o 'hairpin [a-z]*'")
    saved = host.shell("iptables-save | grep -v '^#'").splitlines()
    # Repair writes all rules of ours anew: ours keep their order, foreign ones theirs, not their places to each other.
    rules = {"ours": [line for line in saved if "minidock:" in line],
             "foreign": [line for line in saved if "minidock:" not in line]}
    return {**host.picture(), "inside": inside, "ports": ports, "rules": rules}


DAMAGE = {
    "a bridge": "ip link del {bridge}",
    "a veth": "ip link del {veth}",
    "the guest's end": "ip -n {sandbox} link del eth0",
    "a cable pulled out": "ip link set {veth} nomaster",
    "the bridge's address": "ip addr flush dev {bridge}",
    "the guest's address": "ip -n {sandbox} addr flush dev eth0",
    "the default route": "ip -n {sandbox} route del default",
    "a bridge that is down": "ip link set {bridge} down",
    "a guest that is down": "ip -n {sandbox} link set eth0 down",
    "hairpin": "bridge link set dev {veth} hairpin off",
    "aliases": "ip link set {bridge} alias ''; ip link set {veth} alias x",
    "forwarding": "echo 0 > /proc/sys/net/ipv4/ip_forward",
    "a sandbox's name": "ip netns del {sandbox}",
    "a sandbox's name and the bridge": "ip netns del {sandbox}; ip link del {bridge}",
    "one rule": "iptables -D FORWARD -j MINIDOCK-FORWARD -m comment --comment 'minidock:host to our chains'",
    "all rules of ours in nat": "iptables -t nat -F POSTROUTING",
    "a rule out of order": "iptables -S MINIDOCK-FORWARD 1 | sed 's/^-A/-A/' > /dev/null;"
                           " rule=$(iptables -S MINIDOCK-FORWARD 1 | cut -d' ' -f2-);"
                           " iptables -D MINIDOCK-FORWARD 1; eval iptables -A $rule",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_it_brings_back(ready: Host, what: str) -> None:
    """The picture is as before, the container reaches the outside, and a second repair finds nothing."""
    before = view(ready)
    names = {"bridge": bridge_of(ready), "veth": veth_of(ready), "sandbox": sandbox_of(ready)}
    ready.shell(DAMAGE[what].format(**names))
    said = ready.minidock("system", "repair").stdout
    assert said != QUIET
    after = until(lambda: view(ready), lambda seen: seen == before)
    assert after == before, {key: (after[key], before[key]) for key in before if after[key] != before[key]}
    ready.minidock("exec", "web", *PINGS, "203.0.113.10")
    assert ready.minidock("system", "repair").stdout == QUIET
    assert disagreements(ready) == []


def test_the_damage_was_damage(ready: Host) -> None:
    """The control: without repair the container does not reach the outside any more."""
    ready.minidock("exec", "web", *PINGS, "203.0.113.10")
    ready.shell(f"ip link del {bridge_of(ready)}")
    assert ready.minidock("exec", "web", *PINGS, "203.0.113.10", check=False).returncode == 1


def test_nothing_wrong_is_said_and_nothing_changes(ready: Host) -> None:
    before, generation = view(ready), ready.shell("nft -a list ruleset")
    assert ready.minidock("system", "repair").stdout == QUIET
    assert view(ready) == before
    assert ready.shell("nft -a list ruleset") == generation  # not even a rule's handle


FORWARD = ["-s 192.0.2.12/32 -j DROP", "-j MINIDOCK-USER", "-j MINIDOCK-FORWARD", "-s 192.0.2.10/32 -j DROP",
           "-s 192.0.2.11/32 -j DROP"]


def forward(host: Host) -> list[str]:
    """The chain FORWARD, comments aside."""
    lines = host.shell("iptables -S FORWARD").splitlines()[1:]
    return [" ".join([*line.split(" -m comment")[0].split()[2:], *line.split('" ')[1:]]) for line in lines]


def test_foreign_rules_keep_their_places(ready: Host) -> None:
    """One of our rules in their midst is gone; theirs are where they were, ours stand before them again."""
    assert forward(ready) == FORWARD
    ready.shell("iptables -D FORWARD 2")
    ready.minidock("system", "repair")
    theirs = [rule for rule in FORWARD if "192.0.2" in rule]
    assert [rule for rule in forward(ready) if "192.0.2" in rule] == theirs
    ours = [rule for rule in forward(ready) if "MINIDOCK" in rule]
    assert ours == ["-j MINIDOCK-USER", "-j MINIDOCK-FORWARD"]
    assert forward(ready).index("-j MINIDOCK-FORWARD") < forward(ready).index("-s 192.0.2.10/32 -j DROP")
    assert "192.0.2.13" in ready.shell("iptables -S MINIDOCK-USER")


@pytest.mark.parametrize("flush", ["iptables -F; iptables -t nat -F; iptables -t raw -F",
                                   ("iptables -F; iptables -X; iptables -t nat -F; iptables -t nat -X;"
                                    " iptables -t raw -F"),
                                   "nft flush ruleset"])
def test_after_a_flush_all_rules_stand_in_order(ready: Host, flush: str) -> None:
    """iptables -F takes the user's rules too: what is theirs is not ours to know. Ours come back as built."""
    before = ready.shell("iptables-save | grep -E '^-A.*minidock:'; ip6tables-save | grep -E '^-A.*minidock:'")
    ready.shell(flush)
    assert ready.minidock("exec", "web", *PINGS, "203.0.113.10", check=False).returncode == 1  # no NAT
    ready.minidock("system", "repair")
    now = ready.shell("iptables-save | grep -E '^-A.*minidock:'; ip6tables-save | grep -E '^-A.*minidock:'")
    assert sorted(now.splitlines()) == sorted(before.splitlines())
    assert now == before
    ready.minidock("exec", "web", *PINGS, "203.0.113.10")
    assert ready.minidock("system", "repair").stdout == QUIET


def test_after_iptables_restore_of_a_foreign_ruleset(ready: Host) -> None:
    """Their rules stand unchanged; ours are before them in FORWARD; the policy they chose is kept or ours is back."""
    subprocess.run(["iptables-restore"], input=FOREIGN, text=True, check=True)
    assert "MINIDOCK" not in ready.shell("iptables -S FORWARD")
    ready.minidock("system", "repair")
    assert forward(ready) == ["-j MINIDOCK-USER", "-j MINIDOCK-FORWARD", "-s 192.0.2.1/32 -j DROP", "-j THEIRS"]
    assert "-A THEIRS -s 192.0.2.2/32 -j RETURN" in ready.shell("iptables -S")
    assert "-A POSTROUTING -s 192.0.2.3/32 -j ACCEPT" in ready.shell("iptables -t nat -S")
    ready.minidock("exec", "web", *PINGS, "203.0.113.10")
    assert ready.minidock("system", "repair").stdout == QUIET


def test_the_user_s_chain_survives_everything(ready: Host) -> None:
    """Containers and networks come and go, rules are repaired, all is reset: the user's rule stays in its chain."""
    rule = "-A MINIDOCK-USER -s 192.0.2.13/32 -j DROP"
    for words in (("run", "--rm", "--net", "br0", "true"), ("rm", "-f", "web"), ("net", "rm", "br0"),
                  ("system", "repair"), ("system", "reset", "-f")):
        ready.shell("iptables -D MINIDOCK-FORWARD 1", check=False)
        ready.minidock(*words)
        assert rule in ready.shell("iptables -S MINIDOCK-USER"), words


def test_a_setting_changed_by_hand_is_not_fought_over(ready: Host) -> None:
    """Only what is lost is made again: a user's own mtu on the bridge stays."""
    ready.shell(f"ip link set {bridge_of(ready)} mtu 1400")
    assert ready.minidock("system", "repair").stdout == QUIET
    assert "mtu 1400" in ready.shell(f"ip link show {bridge_of(ready)}")


def test_a_container_that_ends_meanwhile_leaves_no_rule(ready: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rules are in the journal when repair reads it: they must not be written after they were removed."""
    ready.shell("iptables -t raw -F")
    write, ending = nft.replace, []

    def write_late(*words: Any) -> Any:
        ending.append(ready.start("rm", "-f", "web", stdout=subprocess.DEVNULL))
        with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for us; if it did not, it would be over now
            ending[0].wait(2)
        return write(*words)

    monkeypatch.setattr(nft, "replace", write_late)
    app = App()
    assert [done.what for done in repair.repair(app)] == ["firewall rules"]
    assert ending[0].wait(30) == 0
    scopes = {entry.scope for entry in app.state.journal.entries()}
    app.close()
    with contextlib.closing(Kernel()) as kernel:
        owners = {rule.owner for rule in nft_read.owned(kernel.netfilter())}
    assert owners and owners <= scopes


@contextlib.contextmanager
def at_work(host: Host, scope: str, lock: str, at: int) -> Iterator[None]:
    """A process that holds the lock of a scope and has built half of it; it finishes when we leave."""
    ears, mouth = os.pipe()
    reins, hand = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hand)
        _build_slowly(scope, lock, at, mouth, reins)
    os.close(reins)
    assert os.read(ears, 1) == b"h"
    try:
        yield
    finally:
        os.close(hand)
        assert os.waitpid(child, 0)[1] == 0
        os.close(ears)
        os.close(mouth)


def _build_slowly(scope: str, lock: str, at: int, mouth: int, reins: int) -> None:
    count = 0

    def witness(scope: str, item: KernelObject, made: bool) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.write(mouth, b"h")
            os.read(reins, 1)

    try:
        app = App()
        plan = bridge.host(app.facts()) if scope == "host" else bridge.network(_network(), app.facts())
        with locked(f"{app.state.run}/locks/{lock}"):
            Engine(Kernel(), app.state.journal, witness).build(scope, plan)
        os._exit(0)
    finally:
        os._exit(1)


def _network() -> Network:
    pool = Pool(IPv4Network("172.30.0.0/16"), None, IPv4Address("172.30.0.1"))
    return Network("0123456789ab" + "0" * 52, "slow", "bridge", "now", (pool,), mac="02:42:00:00:00:01")


@pytest.mark.parametrize(("scope", "lock", "at"), [("host", "host", 1), ("network/0123456789ab",
                                                                         "network-0123456789ab", 3)])
def test_what_somebody_builds_right_now_is_left_alone(host: Host, scope: str, lock: str, at: int) -> None:
    """The control: when that process is dead instead, its half is removed."""
    host.minidock("net", *(("ls",) if scope == "host" else ("create", "first")))  # its chains stand in the host's
    with at_work(host, scope, lock, at):
        halfway = host.picture()
        assert tidied() == []
        assert host.picture() == halfway
    app = App()
    assert app.state.journal.is_built(scope)
    app.engine.raze(scope)
    before = host.picture()
    with contextlib.suppress(AssertionError), at_work(host, scope, "another", at):
        assert tidied() == [f"{scope}: was left half done: removed"]
        assert host.picture() == before
    app.close()


def test_repair_while_containers_come_and_go(ready: Host) -> None:
    """Six runs with repairs beside them: each run works, and no rule is lost or left over."""
    before, pings = view(ready), ("ping", "-c5", "-i.2", "-W1", "203.0.113.10")
    runs = [ready.start("run", "--rm", "--net", "br0", *pings, stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE) for _ in range(6)]
    repairs = 0
    while any(run.poll() is None for run in runs):
        app = App()
        repair.repair(app)
        app.close()
        repairs += 1
    failures = [(run.returncode, run.communicate()[1]) for run in runs if run.returncode]
    assert failures == []
    assert repairs >= 3
    after = until(lambda: view(ready), lambda seen: seen == before)
    assert after == before, {key: (after[key], before[key]) for key in before if after[key] != before[key]}
    assert ready.minidock("system", "repair").stdout == QUIET
