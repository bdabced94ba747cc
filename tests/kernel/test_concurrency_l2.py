"""Many commands at once on macvlan networks and their parents: one winner, one VLAN, nothing left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground import Host
from tests.kernel.crowd import at_once, honest, listed, nothing_left
from tests.lan import ROUTER, SUBNET, lan_of, reached

SLEEP = ("sleep", "600")
CREATE = ("net", "create", "-d", "macvlan", "-o")


@pytest.fixture
def lan(host: Host) -> Iterator[Host]:
    """A host on a wire with a neighbour; when all is over nothing of ours is left."""
    with lan_of(host):
        host.minidock("ps")
        before = host.picture()
        yield host
        names = host.minidock("ps", "-aq").stdout.split()
        host.minidock(*(("rm", "-f", *names) if names else ("ps",)))
        host.minidock("net", "prune", "-f")
        nothing_left(host, before)


def test_ten_containers_at_once_have_addresses_and_macs_of_their_own(lan: Host) -> None:
    """And all are on the wire."""
    lan.minidock(*CREATE, "parent=eth1", *SUBNET, "lan")
    ended = at_once(lan, [("run", "-d", "--name", f"c{number}", "--net", "lan", *SLEEP) for number in range(10)])
    assert [one.code for one in ended] == [0] * 10, [one.err for one in ended]
    boxes = [f"md-{one.out[:12]}" for one in ended]
    assert all(reached(lan, *((box, ROUTER) for box in boxes)).values())
    looks = [lan.shell(f"ip -n {box} -o -4 addr show eth0; ip -n {box} -o link show eth0").split() for box in boxes]
    assert len({words[3] for words in looks}) == len({words[words.index("link/ether") + 1] for words in looks}) == 10


def test_of_many_on_a_passthru_parent_exactly_one_wins(lan: Host) -> None:
    """The others name a winner, and leave nothing; so it is with a second network, too."""
    ended = at_once(lan, [(*CREATE, "parent=eth1", "-o", "macvlan_mode=passthru", f"lan{number}")
                          for number in range(5)])
    honest(ended)
    assert [one.code for one in ended].count(0) == 1
    assert all("in mode passthru" in one.err or "cannot use mode passthru" in one.err for one in ended if one.code)
    (name,) = (one["Name"] for one in listed(lan, "net", "ls") if one["Driver"] == "macvlan")
    ended = at_once(lan, [("run", "-d", "--name", f"c{number}", "--net", name, *SLEEP) for number in range(5)])
    honest(ended)
    assert [one.code for one in ended].count(0) == 1
    assert all("passthru" in one.err for one in ended if one.code)
    assert len(listed(lan, "ps", "-a")) == 1


@pytest.mark.kernel("vlan")
def test_many_networks_on_one_vlan_at_once_share_it(lan: Host) -> None:
    """Twelve make it once; while all but one are removed it stays, it goes with the last."""
    names = [f"lan{number}" for number in range(12)]
    ended = at_once(lan, [(*CREATE, "parent=eth1.10", "--subnet", f"10.80.{number}.0/24", name)
                          for number, name in enumerate(names)])
    assert [one.code for one in ended] == [0] * 12, [one.err for one in ended]
    made = lan.shell("ip -o link show eth1.10")
    assert "eth1.10@eth1" in made
    ended = at_once(lan, [("net", "rm", name) for name in names[1:]])
    assert [one.code for one in ended] == [0] * 11, [one.err for one in ended]
    assert lan.shell("ip -o link show eth1.10").split()[0] == made.split()[0]
    lan.minidock("net", "rm", names[0])
    assert not lan.shell("ip -o link show eth1.10 2>/dev/null", check=False)


@pytest.mark.kernel("vlan")
def test_a_vlan_is_made_and_removed_at_once(lan: Host) -> None:
    """One network comes while the only other one goes: the VLAN is there if the one that came is."""
    for _ in range(3):
        lan.minidock(*CREATE, "parent=eth1.10", "--subnet", "10.80.0.0/24", "old")
        ended = at_once(lan, [("net", "rm", "old"), (*CREATE, "parent=eth1.10", "--subnet", "10.81.0.0/24", "new")])
        assert [one.code for one in ended] == [0, 0], [one.err for one in ended]
        assert "eth1.10@eth1" in lan.shell("ip -o link show eth1.10")
        assert lan.minidock("run", "--rm", "--net", "new", "true").returncode == 0
        lan.minidock("net", "rm", "new")
