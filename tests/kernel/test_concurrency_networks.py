"""Many commands at once on the networks and ports of running containers: one winner, no deadlock, nothing left."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import permutations

import pytest

from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, mend, rows
from tests.kernel.crowd import at_once, honest, listed, nothing_left
from tests.kernel.live_stage import NETS, live_picture, unlike

RUN = ("run", "-d", "--name", "web", "--net", "br0")
SLEEP = ("sleep", "600")


@pytest.fixture
def ready(host: Host) -> Iterator[Host]:
    """Three networks; when all is over nothing else is left."""
    for words in NETS:
        host.minidock(*words)
    before = host.picture()
    yield host
    names = host.minidock("ps", "-aq").stdout.split()
    host.minidock(*(("rm", "-f", *names) if names else ("ps",)))
    nothing_left(host, before)


def agree(host: Host) -> None:
    """All rows, sockets, scopes and files agree, and repair has nothing to do."""
    left = until(lambda: disagreements(host), lambda found: not found, 5)
    assert not left
    assert mend() == []


def test_connects_and_disconnects_of_one_container_at_once(ready: Host) -> None:
    """Each says what it did or why not. At the end it is where the last ones put it, and may be put anywhere again."""
    ready.minidock(*RUN, "-p", "8080:80", *SLEEP)
    before = live_picture(ready)
    words = [("net", verb, name, "web") for name in ("back", "side") for verb in ("connect", "disconnect")]
    ended = at_once(ready, words * 4)
    honest(ended)
    assert any(one.code == 0 for one in ended)
    refused = [one.err for one in ended if one.code]
    assert all("already exists in network" in text or "is not connected to network" in text for text in refused)
    agree(ready)
    for name in ("back", "side"):
        ready.minidock("net", "disconnect", name, "web", check=False)
    seen = until(lambda: live_picture(ready), lambda look: look == before, 5)
    assert seen == before, unlike(seen, before)


def test_of_many_connects_to_one_network_exactly_one_wins(ready: Host) -> None:
    """In Docker's words."""
    ready.minidock(*RUN, *SLEEP)
    ended = at_once(ready, [("net", "connect", "back", "web")] * 6)
    honest(ended)
    assert [one.code for one in ended].count(0) == 1
    told = "endpoint with name web already exists in network back"
    assert all(told in one.err for one in ended if one.code)
    agree(ready)


def test_a_container_is_removed_while_it_is_connected(ready: Host) -> None:
    """It is gone, with its endpoints everywhere."""
    for _ in range(3):
        ready.minidock(*RUN, "-p", "8080:80", *SLEEP)
        ended = at_once(ready, [("net", "connect", "back", "web"), ("rm", "-f", "web"),
                                ("net", "connect", "side", "web"), ("port", "add", "web", "9090:90")])
        honest(ended)
        assert ended[1].code == 0
        assert not listed(ready, "ps", "-a")
        assert rows(ready.directory / "run/run.db", "SELECT * FROM endpoints") == []
        assert rows(ready.directory / "run/run.db", "SELECT * FROM ports") == []
        agree(ready)


def test_a_network_is_removed_while_containers_are_connected(ready: Host) -> None:
    """Either is first: the network is gone and nobody is connected, or it names those who are."""
    names = [f"c{number}" for number in range(4)]
    for name in names:
        ready.minidock("run", "-d", "--name", name, "--net", "br0", *SLEEP)
    ready.minidock("net", "create", "brief")
    ended = at_once(ready, [*(("net", "connect", "brief", name) for name in names), ("net", "rm", "brief")])
    honest(ended)
    connected = [one.code == 0 for one in ended[:4]]
    if ended[4].code == 0:
        assert not any(connected)
        assert all("brief not found" in one.err for one in ended[:4])
    else:
        assert "has active endpoints" in ended[4].err
        found = json.loads(ready.minidock("net", "inspect", "brief").stdout)[0]["Containers"]
        assert sorted(one["Name"] for one in found.values()) == [
            name for name, there in zip(names, connected, strict=True) if there]
        ready.minidock("rm", "-f", *names)
        ready.minidock("net", "rm", "brief")
    agree(ready)


def test_of_many_that_add_one_port_exactly_one_wins(ready: Host) -> None:
    """The others name the holder, and have what they had."""
    names = [f"c{number}" for number in range(5)]
    for name in names:
        ready.minidock("run", "-d", "--name", name, "--net", "br0", "-p", "80", *SLEEP)
    ended = at_once(ready, [("port", "add", name, "8080:81") for name in names])
    honest(ended)
    (winner,) = [name for name, one in zip(names, ended, strict=True) if one.code == 0]
    told = f"Bind for 0.0.0.0:8080 failed: port is already allocated by container {winner}\n"
    assert all(told in one.err for one in ended if one.code)
    shown = {name: ready.minidock("port", name).stdout.count("\n") for name in names}
    assert shown == {name: 4 if name == winner else 2 for name in names}  # IPv4 and, relayed, IPv6
    agree(ready)


def test_of_many_that_publish_or_add_one_port_exactly_one_wins(ready: Host) -> None:
    """run -p against port add."""
    ready.minidock("run", "-d", "--name", "web", "--net", "br0", *SLEEP)
    run = ("run", "-d", "--net", "back", "-p", "8080:80", *SLEEP)
    ended = at_once(ready, [("port", "add", "web", "8080:80"), *[run] * 4])
    honest(ended)
    assert [one.code for one in ended].count(0) == 1
    assert all("Bind for " in one.err and ":8080 failed: port is already allocated by container" in one.err
               for one in ended if one.code)
    agree(ready)


def test_three_networks_in_every_order_at_once(ready: Host) -> None:
    """Nobody waits in a ring: locks are taken in one order, whatever was typed."""
    orders = list(permutations(("br0", "back", "side")))
    ended = at_once(ready, [("run", "-d", "--name", f"c{number}", *(word for name in order for word in ("--net", name)),
                             *SLEEP) for number, order in enumerate(orders)])
    assert [one.code for one in ended] == [0] * 6, [one.err for one in ended]
    for number, order in enumerate(orders):
        found = ready.minidock("exec", f"c{number}", "ip", "-4", "-br", "addr").stdout
        wanted = {"br0": "172.28.", "back": "172.29.", "side": "172.30."}
        assert [line.split()[2][:7] for line in found.splitlines() if line.startswith("eth")] == [
            wanted[name] for name in order]
    agree(ready)


def test_repair_while_networks_change(ready: Host) -> None:
    """What is half connected is left alone; what is connected in the end is whole."""
    names = [f"c{number}" for number in range(3)]
    for name in names:
        ready.minidock("run", "-d", "--name", name, "--net", "br0", *SLEEP)
    over, told = threading.Event(), []

    def repair_often() -> None:
        while not over.is_set():
            told.append(ready.minidock("system", "repair").stdout)

    beside = threading.Thread(target=repair_often)
    beside.start()
    try:
        for verb in ("connect", "disconnect", "connect"):
            ended = at_once(ready, [("net", verb, net, name) for name in names for net in ("back", "side")])
            assert [one.code for one in ended] == [0] * 6, [one.err for one in ended]
    finally:
        over.set()
        beside.join()
    assert set(told) == {"nothing to repair\n"}
    assert len(told) >= 2
    for name in names:
        assert ready.minidock("exec", name, "ip", "-4", "-br", "addr").stdout.count("eth") == 3
    agree(ready)


def test_many_ports_added_to_one_container_at_once_are_all_there(ready: Host) -> None:
    """Nobody writes over what another has just added, nor over a new name; running or stopped."""
    for name, start in (("web", "run"), ("still", "create")):
        made = ready.minidock(*(start, "-d")[:2 if start == "run" else 1], "--name", name, "--net", "br0", *SLEEP)
        base, identity = 8080 if start == "run" else 9080, made.stdout.strip()
        ended = at_once(ready, [*(("port", "add", identity, f"{base + number}:80") for number in range(5)),
                                ("rename", name, f"{name}2")])
        assert [one.code for one in ended] == [0] * 6, [one.err for one in ended]
        found = json.loads(ready.minidock("inspect", f"{name}2").stdout)[0]["HostConfig"]["PortBindings"]
        assert {f"{one['HostPort']}:80" for one in found["80/tcp"]} == {f"{base + number}:80" for number in range(5)}
    agree(ready)


def test_a_name_given_while_a_container_restarts_stays(ready: Host) -> None:
    """With --rm, restart writes the configuration twice: neither time what it had read before it waited."""
    deaf = ("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    ready.minidock("run", "-d", "--rm", "--name", "old", "--net", "br0", *deaf)
    restarted, renamed = at_once(ready, [("restart", "-t", "1", "old"), ("rename", "old", "new")])
    assert renamed.code == 0
    assert restarted.code == 0 or "No such container: old" in restarted.err
    found = json.loads(ready.minidock("inspect", "new").stdout)[0]
    assert found["State"]["Running"] and found["HostConfig"]["AutoRemove"]
    agree(ready)
