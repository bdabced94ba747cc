"""`minidock system repair` with IPv6, several networks, policies, and after networks and ports changed in running."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator

import pytest

from minidock.app import connecting, live_ports
from minidock.app.context import App
from minidock.errors import MinidockError
from minidock.model.network import Attachment
from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, mend
from tests.kernel.live_stage import NETS, live_picture, settled_live_picture, unlike

QUIET = "nothing to repair\n"
LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SEED = int(os.environ.get("MINIDOCK_WALK_SEED", "1"))
FOREIGN6 = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -s 2001:db8::1/128 -j DROP
COMMIT
"""


@pytest.fixture
def ready(host: Host) -> Iterator[Host]:
    """web on br0 (IPv4) and, as its way out, back (both families), with published ports; other beside it."""
    for words in NETS:
        host.minidock(*words)
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "--net", "name=back,gw-priority=1", "-p", "8080:80",
                  "-p", "127.0.0.1:5353:53/udp", "sleep", "600")
    host.minidock("run", "-d", "--name", "other", "--net", "back", "-p", "7070:70", "sleep", "600")
    yield host
    host.minidock("rm", "-f", "web", "other", check=False)


def places(host: Host) -> dict[str, str]:
    """What the damages name: the sandbox of web, its second cable, the bridge of back."""
    sandbox = host.minidock("inspect", "-f", "{{.Id}}", "web").stdout[:12]
    bridge = host.minidock("net", "inspect", "-f", "{{.Id}}", "back").stdout[:12]
    peer = host.shell(f"ip -n md-{sandbox} -o link show eth1 | sed -E 's/.*@if([0-9]+):.*/\\1/'").strip()
    veth = host.shell(f"ip -o link | sed -nE 's/^{peer}: ([a-z0-9]+)@.*/\\1/p'").strip()
    return {"sandbox": f"md-{sandbox}", "bridge": f"br-{bridge}", "veth": veth}


DAMAGE = {
    "the guest's IPv6 address": "ip -n {sandbox} -6 addr del fd00:29::2/64 dev eth1",
    "the bridge's IPv6 address": "ip -6 addr del fd00:29::1/64 dev {bridge}",
    "the routes out": "ip -n {sandbox} route del default; ip -n {sandbox} -6 route del default",
    "a second network's cable": "ip link del {veth}",
    "a second network's cable, pulled": "ip link set {veth} nomaster",
    "a guest that is down": "ip -n {sandbox} link set eth1 down",
    "a bridge that is down": "ip link set {bridge} down",
    "IPv6 on the bridge": "sysctl -qw net.ipv6.conf.{bridge}.disable_ipv6=1",
    "IPv6 forwarding": "sysctl -qw net.ipv6.conf.all.forwarding=0",
    "a rule of IPv6": "ip6tables -D MINIDOCK-CT 1",
    "the rules of IPv6": "ip6tables -F; ip6tables -t nat -F; ip6tables -t raw -F",
    "the whole ruleset": "nft flush ruleset",
    "the policy of FORWARD": "iptables -P FORWARD ACCEPT",
    "the policy of FORWARD for IPv6": "ip6tables -P FORWARD ACCEPT",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_it_brings_back(ready: Host, what: str) -> None:
    """The damage is seen; after the repair all is as before, in order, and a second repair finds nothing."""
    before = settled_live_picture(ready)
    ready.shell(DAMAGE[what].format(**places(ready)))
    assert live_picture(ready) != before
    assert ready.minidock("system", "repair", "--dry-run").stdout != QUIET
    said = ready.minidock("system", "repair").stdout
    assert said != QUIET
    seen = until(lambda: live_picture(ready), lambda look: look == before)
    assert seen == before, f"{said}\n{unlike(seen, before)}"
    assert ready.minidock("system", "repair").stdout == QUIET
    assert disagreements(ready) == []


def test_a_policy_is_put_back_without_touching_a_rule(ready: Host) -> None:
    """Not even a handle."""
    rules = ready.shell("nft -sa list ruleset")
    ready.shell("iptables -P FORWARD ACCEPT")
    assert ready.minidock("system", "repair").stdout == "policy DROP of iptables FORWARD: was changed: set again\n"
    assert ready.shell("nft -sa list ruleset") == rules


def test_after_ip6tables_restore_of_a_foreign_ruleset(ready: Host) -> None:
    """Their rule stands, ours before it; IPv4 is untouched."""
    four = ready.shell("iptables-save | grep -v '^#' | sed 's/\\[.*//'")
    subprocess.run(["ip6tables-restore"], input=FOREIGN6, text=True, check=True)
    assert "MINIDOCK" not in ready.shell("ip6tables -S FORWARD")
    ready.minidock("system", "repair")
    chain = ready.shell("ip6tables -S FORWARD").splitlines()
    assert chain[0] == "-P FORWARD DROP"
    assert [line.split(" -j ")[1] for line in chain[1:]] == ["MINIDOCK-USER", "MINIDOCK-FORWARD", "DROP"]
    assert ready.shell("iptables-save | grep -v '^#' | sed 's/\\[.*//'") == four
    assert ready.minidock("system", "repair").stdout == QUIET


class Walk:
    """Random changes of running containers, as the rows allow them."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.done: list[str] = []

    def step(self) -> bool:
        """One change; False if it was refused in words."""
        name, network = self.dice.choice(("web", "other")), self.dice.choice(("br0", "back", "side"))
        port = self.dice.choice(("8080:80", "9090:90/udp", "127.0.0.1:9191:91", "[::1]:9292:92", "80"))
        act = self.dice.choice((self._connect, self._connect, self._disconnect, self._add, self._remove))
        app = App()
        try:
            act(app, name, network, port)
        except MinidockError as error:
            self.done.append(f"{act.__name__} {name} {network} {port}: refused: {error.what}")
            return False
        finally:
            app.close()
        self.done.append(f"{act.__name__} {name} {network} {port}")
        return True

    def _connect(self, app: App, name: str, network: str, port: str) -> None:
        connecting.connect(app, Attachment("", network, gw_priority=self.dice.randrange(3)), name)

    def _disconnect(self, app: App, name: str, network: str, port: str) -> None:
        connecting.disconnect(app, network, name)

    def _add(self, app: App, name: str, network: str, port: str) -> None:
        live_ports.add(app, app.state.containers.find(name), (port,))

    def _remove(self, app: App, name: str, network: str, port: str) -> None:
        live_ports.remove(app, app.state.containers.find(name), (port,))


@pytest.mark.parametrize("number", range(20 if LONG else 1))
def test_after_any_changes_there_is_nothing_to_repair(ready: Host, number: int) -> None:
    """The order in the kernel is the order of the journal; and all rules written anew stand as they stood."""
    walk = Walk(f"{SEED}/{number}")
    changes = 0
    while changes < 16:
        changes += walk.step()
        assert mend() == [], "\n".join(walk.done)
        left = until(lambda: disagreements(ready), lambda found: not found, 2)
        assert not left, f"{left}\n" + "\n".join(walk.done)
    before = settled_live_picture(ready)
    ready.shell("iptables -t nat -D POSTROUTING 1")
    assert [line.partition(":")[0] for line in mend()] == ["firewall rules"]
    seen = live_picture(ready)
    assert seen == before, unlike(seen, before)
