"""kill -9 at every step of what makes, uses and removes a macvlan network, a VLAN for it, a dummy; see test_kill.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground import Host
from tests.kernel.aftermath import orphanage
from tests.kernel.test_kill import Scene, kill_everywhere, wipe

CREATE = ("net", "create", "br1", "-d", "macvlan", "--subnet", "172.29.0.0/16")
ON_WIRE, ON_VLAN = (*CREATE, "-o", "parent=eth1", "-o", "host_access=true"), (*CREATE, "-o", "parent=eth1.10")
REMOVE = ("net", "rm", "br1")
WEB, FORCE = ("run", "-d", "--name", "web", "--net", "br1", "sleep", "60"), ("rm", "-f", "web")

SCENES = {
    "net create, macvlan": (Scene(ON_WIRE), 5),
    "net rm, macvlan": (Scene(REMOVE, (ON_WIRE,)), 5),
    "run -d, macvlan": (Scene(WEB, (ON_WIRE,)), 6),
    "rm -f, macvlan": (Scene(FORCE, (ON_WIRE, WEB)), 4),
    "net create, vlan": (Scene(ON_VLAN), 2),  # what the machine's own kernel may lack runs on a slow one
    "net rm, vlan": (Scene(REMOVE, (ON_VLAN,)), 2),
    "run -d, vlan": (Scene(WEB, (ON_VLAN,)), 2),
    "net create, dummy": (Scene(CREATE), 1),
    "net rm, dummy": (Scene(REMOVE, (CREATE,)), 1),
}


def _scenes() -> list[object]:
    """Each where the kernel has what its name ends with."""
    return [pytest.param(name, marks=pytest.mark.kernel(*{name.split(", ")[1]} & {"vlan", "dummy"})) for name in SCENES]


@pytest.fixture
def ready(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with an interface eth1, every identifier pinned, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "kill")
    host.shell("ip link add eth1 type veth peer name p0; ip link set eth1 up")
    with orphanage():
        yield host
        wipe(host)


@pytest.mark.parametrize("name", _scenes())
def test_killed_at_some_points(name: str, ready: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A seeded sample; eth1 is never touched, for it is in the picture."""
    scene, most = SCENES[name]
    number = kill_everywhere(ready, name, scene, most)
    with capsys.disabled():
        print(f" {name}: killed {number} times;", end="")
    assert number >= max(1, most - 1)  # a call more or less is made each time


@pytest.mark.long
@pytest.mark.parametrize("name", _scenes())
def test_killed_at_every_point(name: str, ready: Host, capsys: pytest.CaptureFixture[str]) -> None:
    number = kill_everywhere(ready, name, SCENES[name][0], 0)
    with capsys.disabled():
        print(f" {name}: killed {number} times;", end="")
    assert number >= 20
