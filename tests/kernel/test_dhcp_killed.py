"""Commands on a network whose addresses a DHCP server lends, cut and killed at their steps: nothing stays lent.

Afterwards the server has lent exactly what running containers have; kernel, rows and files agree too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minidock.app import connecting, containers, dhcp, ending, holding, starting
from minidock.app.context import App
from minidock.model.container import Container
from minidock.model.network import Attachment
from minidock.model.record import Record
from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, mend, orphanage, rows, tidied
from tests.kernel.cutter import attempt, chosen, do
from tests.kernel.killing import EFFECTS, PAGES, calls, killed_before, points
from tests.lan import lan_of
from tests.lending import Server, make, serving

Work = Callable[[App], None]
WEB = Container(id="", name="web", created="", argv=("sleep", "600"), network_mode="wire", hostname="",
                attachments=(Attachment("", "wire"),))


def run(app: App) -> None:
    starting.start(app, containers.configured(app, WEB), holding.Detached(), fresh=True)


def run_beside(app: App) -> None:
    beside = WEB.but(network_mode="br0", attachments=(Attachment("", "br0"),))
    starting.start(app, containers.configured(app, beside), holding.Detached(), fresh=True)


def connect(app: App) -> None:
    connecting.connect(app, Attachment("", "wire"), "web")


def disconnect(app: App) -> None:
    connecting.disconnect(app, "wire", "web")


def remove(app: App) -> None:
    if app.state.containers.holder("web"):
        ending.remove(app, app.state.containers.find("web"), force=True)


def renew(app: App) -> None:
    """What the helper process has done at T1."""
    (web,) = (con for con, _ in app.state.containers.all())
    dhcp.renew(app, web.id, web.attachments[0].network)


class Scene(Record):
    """A command, as typed and as work, and what is done before."""

    words: tuple[str, ...]
    work: Work
    first: tuple[Work, ...] = ()


SCENES = {
    "run -d": Scene(("run", "-d", "--name", "web", "--net", "wire", "sleep", "600"), run),
    "connect": Scene(("net", "connect", "wire", "web"), connect, (run_beside,)),
    "disconnect": Scene(("net", "disconnect", "wire", "web"), disconnect, (run_beside, connect)),
    "rm -f": Scene(("rm", "-f", "web"), remove, (run,)),
}
SHORT = {"run -d": 14, "connect": 10, "disconnect": 6, "rm -f": 4}


@pytest.fixture
def server(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The LAN, its server, the networks wire and br0, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "dhcp")
    with lan_of(host), serving(tmp_path) as found:
        make(host)
        host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
        with orphanage():
            yield found
            do(remove)


def _in_agreement(host: Host, server: Server, where: str) -> set[str]:
    """The next command brings all together, repair finds nothing more; what is lent in the end."""
    until(lambda: (tidied(), disagreements(host))[1], lambda found: not found, 5)
    assert mend() == [], f"{where}: repair found something to do"
    assert disagreements(host) == [], where
    had = _had(host)
    assert until(lambda: set(server.leases()), lambda lent: lent == had, 2) == had, where
    due = rows(host.directory / "run/run.db", "SELECT address FROM leases WHERE due NOT NULL")
    assert {address for (address,) in due} == had, where
    return had


def _had(host: Host) -> set[str]:
    """The addresses of the LAN in all sandboxes."""
    names = host.picture()["sandboxes"]
    told = "".join(host.shell(f"ip -n {name} -o -4 addr") for name in names)  # type: ignore[attr-defined]
    return {word.partition("/")[0] for word in told.split() if word.startswith("10.77.0.") and "/" in word}


def _ready(host: Host, server: Server, scene: Scene) -> None:
    do(remove, *scene.first)
    assert until(lambda: set(server.leases()), lambda lent: lent == _had(host), 2) == _had(host)


@pytest.mark.parametrize("name", SCENES)
def test_a_cut_leaves_nothing_lent(name: str, host: Host, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Before and after every effect, or a seeded sample of them; among the effects are the questions."""
    scene = SCENES[name]
    _ready(host, server, scene)
    whole = attempt(scene.work)
    assert (whole.reached, whole.error) == ("", "")
    ends = [_in_agreement(host, server, name)]
    picked = chosen(whole.points, 14, name)
    for cut in picked:
        _ready(host, server, scene)
        outcome = attempt(scene.work, cut)
        assert (bool(outcome.reached), outcome.error) == (True, ""), f"{name}, point {cut}"
        ends.append(_in_agreement(host, server, f"{name}, point {cut}: {outcome.reached}"))
    assert {len(end) for end in ends} <= {0, 1}
    with capsys.disabled():
        print(f" {name}: {len(picked)} of {whole.points} points;", end="")


BESIDE = ("before minidock.kernel.dhcp.obtain", "after minidock.kernel.dhcp.obtain", "before Runs.rewrite",
          "after Runs.rewrite", "before LeaseRows.lent", "after LeaseRows.lent")


def test_a_cut_beside_the_question_leaves_nothing_lent(host: Host, server: Server) -> None:
    """The server has answered, the command is gone before, or right after, it has written that down."""
    whole = attempt(run).points
    do(remove)
    seen = set()
    for cut in range(whole // 3, whole + 1):
        point = attempt(run, cut).reached
        if point in BESIDE:
            assert _in_agreement(host, server, f"point {cut}: {point}") == set()
            seen.add(point)
        do(remove)
    assert seen == set(BESIDE)


def test_killed_at_some_points(host: Host, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """kill -9, a seeded sample over all commands."""
    number = sum(_kill_everywhere(host, server, name, most) for name, most in SHORT.items())
    with capsys.disabled():
        print(f" killed {number} times;", end="")
    assert number >= 25


@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_killed_at_every_point(name: str, host: Host, server: Server) -> None:
    assert _kill_everywhere(host, server, name, 0) >= 30


def _kill_everywhere(host: Host, server: Server, name: str, most: int) -> int:
    scene, kills = SCENES[name], 0
    _ready(host, server, scene)
    found = calls(host, f"{EFFECTS},{PAGES}", *scene.words)
    _in_agreement(host, server, name)
    for call in points(f"dhcp {name}", found, most):
        _ready(host, server, scene)
        kills += killed_before(call, *scene.words)
        _in_agreement(host, server, f"{name}, killed at {call}")
    return kills


def test_a_renewal_that_is_cut_changes_nothing(host: Host, server: Server) -> None:
    """Its next one, or the end, goes on from there."""
    do(run)
    had = _had(host)
    whole = attempt(renew)
    assert (whole.reached, whole.error) == ("", "") and whole.points >= 6
    for cut in range(1, whole.points + 1):
        outcome = attempt(renew, cut)
        assert (bool(outcome.reached), outcome.error) == (True, "")
        assert _in_agreement(host, server, outcome.reached) == had


def test_kill_9_of_the_monitor_gives_back_what_was_lent(host: Host, server: Server) -> None:
    """The next command does what the monitor would have done."""
    do(run)
    ((pid, monitor),) = rows(host.directory / "run/run.db", "SELECT pid, monitor FROM running")
    assert len(_had(host)) == 1
    for one in (monitor, pid):
        os.kill(one, signal.SIGKILL)
    assert _in_agreement(host, server, "the monitor is dead") == set()
