"""Many minidock processes at once: no address twice, no subnets that overlap, exactly one winner, nothing left.

Bounded: the machine may have two cores. What is measured here is truth, not speed.
"""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Network, ip_interface
from itertools import combinations
from typing import Any

import pytest

from minidock.app import containers, repair
from minidock.app.context import App
from minidock.model.container import Container
from minidock.model.network import Attachment
from tests.ground import COMMAND, Host, until
from tests.kernel.crowd import Ended, at_once, honest, listed, nothing_left

SUBNET = ("--subnet", "172.28.0.0/16")
SHOW_AND_PING = "ip -4 -br addr show eth0 && ping -c1 -W2 172.28.0.1 >/dev/null && echo reached"


def test_fifty_containers_at_once_have_fifty_addresses(host: Host) -> None:
    """Each pings the gateway; the lowest fifty addresses are used, as nobody left before all had come."""
    host.minidock("net", "create", "br0", *SUBNET)
    before = host.picture()
    gate = host.directory / "gate"
    script = f"{SHOW_AND_PING}; until [ -e {gate} ]; do sleep 0.2; done"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [host.start("run", "--rm", "--net", "br0", "sh", "-c", script, **pipes) for _ in range(50)]
    running = until(lambda: len(listed(host, "ps")), lambda count: count == 50, 40)
    gate.touch()
    ended = [Ended(process) for process in processes]
    assert running == 50
    honest(ended)
    assert [one.code for one in ended] == [0] * 50
    assert all("reached" in one.out for one in ended)
    addresses = {int(ip_interface(one.out.split()[2]).ip) for one in ended}
    assert sorted(addresses) == list(range(0xAC1C0002, 0xAC1C0002 + 50))
    nothing_left(host, before)


def test_twenty_networks_at_once_do_not_overlap(host: Host) -> None:
    """Each chooses its own subnet from the default pools."""
    ended = at_once(host, (("net", "create", f"n{number}") for number in range(20)))
    assert [one.code for one in ended] == [0] * 20, [one.err for one in ended]
    found = json.loads(host.minidock("net", "inspect", *(f"n{number}" for number in range(20))).stdout)
    subnets = [IPv4Network(network["IPAM"]["Config"][0]["Subnet"]) for network in found]
    assert len(subnets) == 20
    assert not [pair for pair in combinations(subnets, 2) if pair[0].overlaps(pair[1])]
    links = host.shell("ip -o link show type bridge").splitlines()
    assert len(links) == 20
    assert host.minidock("system", "repair").stdout == "nothing to repair\n"


def test_a_network_is_removed_under_a_storm_of_runs(host: Host) -> None:
    """Each run works or says why not; the removal works or names who is attached; at the end nothing is left."""
    host.minidock("net", "create", "other", "--subnet", "172.29.0.0/16")
    before = host.picture()
    host.minidock("net", "create", "br0", *SUBNET)
    runs = [("run", "--rm", "--net", "br0", "true")] * 6
    ended = at_once(host, [*runs, *[("net", "rm", "br0")] * 3, *runs])
    honest(ended)
    removals = ended[6:9]
    assert sum(one.code == 0 for one in removals) <= 1
    if not any(one.code == 0 for one in removals):
        host.minidock("net", "rm", "br0")
    assert host.minidock("run", "--rm", "--net", "br0", "true", check=False).returncode == 125
    nothing_left(host, before)


def test_a_storm_of_creations_and_removals_leaves_nothing(host: Host) -> None:
    """Networks and containers come and go in eight shells at once, each its own."""
    host.minidock("net", "create", "other", "--subnet", "172.29.0.0/16")
    before = host.picture()
    shells = []
    for number in range(8):
        subnet = f"10.{number}.0.0/24"
        words = (("net", "create", f"n{number}", "--subnet", subnet), ("run", "-d", "--name", f"c{number}", "--net",
                 f"n{number}", "sleep", "100"), ("exec", f"c{number}", "ping", "-c1", "-W2", f"10.{number}.0.1"),
                 ("rm", "-f", f"c{number}"), ("net", "rm", f"n{number}"))
        shells.append(" && ".join(f"$MINIDOCK {' '.join(line)}" for line in words))
    ended = [Ended(process) for process in [_shell(line) for line in shells]]
    assert [one.code for one in ended] == [0] * 8, [one.err for one in ended]
    nothing_left(host, before)


def _shell(line: str) -> subprocess.Popen[str]:
    line = line.replace("$MINIDOCK", " ".join(COMMAND))
    return subprocess.Popen(["bash", "-c", line], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_of_many_with_one_name_exactly_one_wins(host: Host) -> None:
    """The others name the holder."""
    host.minidock("net", "create", "br0", *SUBNET)
    ended = at_once(host, [("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")] * 8)
    honest(ended)
    winners = [one for one in ended if one.code == 0]
    assert len(winners) == 1
    assert all("web" in one.err and "in use" in one.err for one in ended if one.code)
    (row,) = listed(host, "ps", "-a")
    assert winners[0].out.startswith(row["ID"])
    assert len(host.picture()["sandboxes"]) == 1  # type: ignore[arg-type]
    assert host.minidock("system", "repair").stdout == "nothing to repair\n"


def test_of_many_with_one_address_exactly_one_wins(host: Host) -> None:
    """The others name who holds it (by its id, while its own start has not written down the name), and leave no row."""
    host.minidock("net", "create", "br0", *SUBNET)
    words = ("run", "-d", "--net", "br0", "--ip", "172.28.7.7")
    ended = at_once(host, [(*words, "--name", f"c{number}", "sleep", "100") for number in range(8)])
    honest(ended)
    assert len([one for one in ended if one.code == 0]) == 1
    assert all("Address already in use: 172.28.7.7" in one.err for one in ended if one.code)
    (row,) = listed(host, "ps", "-a")
    assert all(f"held by container {row['Names']}" in one.err or f"held by container {row['ID']}" in one.err
               for one in ended if one.code)
    assert "172.28.7.7/16" in host.minidock("exec", row["Names"], "ip", "addr").stdout


def test_of_fifty_with_one_host_port_exactly_one_wins(host: Host) -> None:
    """The others name the holder, whatever their container is called; and the winner's port is held."""
    host.minidock("net", "create", "br0", *SUBNET)
    before = host.picture()
    run = ("run", "-d", "--net", "br0", "-p", "8080:80", "sleep", "100")
    ended = at_once(host, [run] * 50)
    honest(ended)
    (row,) = listed(host, "ps", "-a")
    assert [one.out[:12] for one in ended if one.code == 0] == [row["ID"]]
    told = "Bind for 0.0.0.0:8080 failed: port is already allocated by container"
    holders = (f"{told} {row['Names']}\n", f"{told} {row['ID']}\n")  # by id, if its row is not written yet
    assert [one.err for one in ended if one.code and not any(text in one.err for text in holders)] == []
    assert host.picture()["sockets"] == ["tcp 0.0.0.0:8080", "tcp [::]:8080"]
    host.minidock("rm", "-f", row["Names"])
    nothing_left(host, before)


def test_many_that_leave_the_port_to_us_get_one_each(host: Host) -> None:
    """From the beginning of the ephemeral range on, no port twice. They have names, for two may draw the same one: then
    the later begins again, and the port it had been given is passed over."""
    host.minidock("net", "create", "br0", *SUBNET)
    before = host.picture()
    ended = at_once(host, [("run", "-d", "--name", f"c{number}", "--net", "br0", "-p", "80", "sleep", "100")
                           for number in range(10)])
    assert [one.code for one in ended] == [0] * 10, [one.err for one in ended]
    found = [host.minidock("port", one.out.strip(), "80").stdout for one in ended]
    first = int(host.shell("cut -f1 /proc/sys/net/ipv4/ip_local_port_range"))
    expected = [f"0.0.0.0:{port}\n[::]:{port}\n" for port in range(first, first + 10)]
    assert sorted(found) == expected
    host.minidock("rm", "-f", *(one.out.strip() for one in ended))
    nothing_left(host, before)


def test_of_many_networks_with_one_name_exactly_one_wins(host: Host) -> None:
    """And there is one bridge."""
    ended = at_once(host, [("net", "create", "br0")] * 8)
    honest(ended)
    assert [one.code for one in ended].count(0) == 1
    assert len(host.shell("ip -o link show type bridge").splitlines()) == 1


def test_what_was_unfinished_a_moment_ago_may_be_finished_now(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tidying looks again once it has the lock: a network that got ready in between stays. Control: a cut one goes."""
    host.minidock("net", "create", "br0", *SUBNET)
    app = App()
    network = app.state.networks.find("br0")
    in_state, scopes = app.state.networks.in_state, app.state.journal.scopes
    stale = iter([[(network, "creating")]])
    monkeypatch.setattr(app.state.networks, "in_state", lambda *states: next(stale, None) or in_state(*states))
    old = iter([[(network.scope, "building")]])
    monkeypatch.setattr(app.state.journal, "scopes", lambda *states: next(old, None) or scopes(*states))
    before = host.picture()
    assert repair.tidy(app) == []
    assert (next(stale, "asked"), next(old, "asked")) == ("asked", "asked")
    assert host.picture() == before
    app.state.networks.set_state(network, "creating")
    assert [item.what for item in repair.tidy(app)] == ["network br0"]
    assert host.picture() != before
    app.close()


def test_commands_work_while_repair_runs(host: Host) -> None:
    """Repair leaves what others are at alone, and what it mends is not undone by them."""
    host.minidock("net", "create", "br0", *SUBNET)
    before = host.picture()
    host.shell("iptables -F MINIDOCK-FORWARD; iptables -t nat -F POSTROUTING")
    runs = [("run", "--rm", "--net", "br0", "ping", "-c1", "-W2", "172.28.0.1")] * 6
    ended = at_once(host, [*runs[:3], *[("system", "repair")] * 4, *runs[3:], ("net", "create", "n1"),
                            *[("system", "repair")] * 2])
    assert [one.code for one in ended] == [0] * 13, [one.err for one in ended]
    assert any("firewall rules" in one.out for one in ended)
    host.minidock("net", "rm", "n1")
    nothing_left(host, before)


def test_a_random_name_that_another_command_took_meanwhile_is_chosen_anew(host: Host) -> None:
    """Between choosing a free name and writing it down, a rival writes down the same."""
    host.minidock("net", "create", "br0")
    app, tried = App(), []

    def keep(container: Container) -> None:
        with app.state.adding():
            if not tried:
                app.state.containers.add(container.but(id="f" * 64))
            tried.append(container.name)
        with app.state.adding():
            app.state.containers.add(container)

    wanted = Container(id="", name="", created="", argv=("true",), network_mode="br0", hostname="",
                       attachments=(Attachment("", "br0"),))
    made = containers.with_free_name(app, wanted, keep)
    app.close()
    assert len(tried) == 2 and tried[0] != tried[1] == made.name
    assert set(host.minidock("ps", "-a", "--format", "{{.Names}}").stdout.split()) == set(tried)
