"""The cut test for what changes a running container: connect, disconnect, port add, port rm.

A cut before or after any effect; connect and port add take back what they did by themselves, at once; a removal that
has begun is finished by the next command. Kernel, rows, the monitor's sockets, files and
configuration agree: all as before, or all as after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from minidock.app import connecting, containers, ending, live_ports, starting
from minidock.app.context import App
from minidock.model.container import Container
from minidock.model.network import OPTION_PREFIX, Attachment
from minidock.model.record import Record
from tests.ground import Host, until
from tests.kernel.aftermath import childless, disagreements, mend, orphanage, tidied
from tests.kernel.cutter import Outcome, attempt, chosen, do
from tests.kernel.live_stage import NETS, live_picture, settled_live_picture, unlike

WEB = Container(id="", name="web", created="", argv=("sleep", "600"), network_mode="br0", hostname="",
                attachments=(Attachment("", "br0"), Attachment("", "back")), ports=("8080:80", "5353:53/udp"))
PLAIN = WEB.but(network_mode="bridge", attachments=(Attachment("", "bridge"),))
Work = Callable[[App], None]


def run(app: App) -> None:
    starting.start(app, containers.configured(app, WEB), starting.Detached(), fresh=True)


def run_plain(app: App) -> None:
    starting.start(app, containers.configured(app, PLAIN), starting.Detached(), fresh=True)


def connect(app: App) -> None:
    """The new network becomes the way out, so the ports move there."""
    wanted = Attachment("", "side", gw_priority=7, aliases=("shop",), link_local=("169.254.7.7",),
                        options=((f"{OPTION_PREFIX}endpoint.ifname", "lan7"),))
    connecting.connect(app, wanted, "web")


def connect_plain(app: App) -> None:
    """The first network with names."""
    connecting.connect(app, Attachment("", "back"), "web")


def disconnect_side(app: App) -> None:
    connecting.disconnect(app, "side", "web")


def disconnect(app: App) -> None:
    """It was the way out."""
    connecting.disconnect(app, "back", "web")


def port_add(app: App) -> None:
    live_ports.add(app, app.state.containers.find("web"), ("8443:443", "127.0.0.1:9090:90", "[::1]:9091:91"))


def port_rm_added(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("443", "127.0.0.1:9090:90", "[::1]:9091:91"))


def port_rm(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("80",))


def port_add_removed(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("53/udp",))
    live_ports.add(app, app.state.containers.find("web"), ("8080:80", "5353:53/udp"))


class Job(Record):
    """A command's work, what is run before, and what brings it back; whether it takes itself back when it is cut."""

    work: Work
    back: tuple[Work, ...]
    first: Work = run
    builds: bool = True


def again(first: Work) -> tuple[Work, ...]:
    """Another container in its place."""
    return remove, first


def remove(app: App) -> None:
    ending.remove(app, app.state.containers.find("web"), force=True)


JOBS = {
    "connect": Job(connect, (disconnect_side,)),
    "connect, the first with names": Job(connect_plain, again(run_plain), run_plain),
    "disconnect": Job(disconnect, again(run), builds=False),
    "port add": Job(port_add, (port_rm_added,)),
    "port rm": Job(port_rm, (port_add_removed,), builds=False),
}


@pytest.fixture
def ready(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with three networks, every identifier pinned, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "cut")
    for words in NETS:
        host.minidock(*words)
    with orphanage():
        yield host
        do(remove)
        assert childless()


@pytest.mark.parametrize("name", JOBS)
def test_a_cut_at_any_point_leaves_all_as_before_or_after(ready: Host, name: str,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    job = JOBS[name]
    do(job.first)
    before = settled_live_picture(ready)
    points = _whole(job)
    after = settled_live_picture(ready)
    assert after != before
    picked = chosen(points, 12, name)
    stands = False
    for cut in picked:
        if not stands:
            do(*job.back)
            assert (seen := _come_to(ready, before)) == before, unlike(seen, before)
        outcome = attempt(job.work, cut)
        where = f"{name}, point {cut} of {points}: {outcome.reached}"
        assert (bool(outcome.reached), outcome.error) == (True, ""), where
        stands = _judge(ready, job, outcome, before, after, where) == before
    with capsys.disabled():
        print(f" {name}: {len(picked)} of {points} points;", end="")


def _whole(job: Job) -> int:
    """How many points the uncut work has."""
    outcome = attempt(job.work)
    assert (outcome.reached, outcome.error) == ("", "")
    return outcome.points


def _come_to(host: Host, *wanted: dict[str, object]) -> dict[str, object]:
    return until(lambda: live_picture(host), lambda seen: seen in wanted, 5)


def _judge(host: Host, job: Job, outcome: Outcome, before: dict[str, object], after: dict[str, object],
           where: str) -> dict[str, object]:
    """Check what the cut left; what it is like in the end."""
    wanted = [before] if job.builds and not outcome.done else [before, after]
    if job.builds:
        seen = _come_to(host, *wanted)
        assert seen in wanted, f"{where}: not taken back at once:\n{unlike(seen, *wanted)}"
    tidied()
    seen = _come_to(host, *wanted)
    assert seen in wanted, f"{where}: neither as before nor as after:\n{unlike(seen, *wanted)}"
    assert mend() == [], f"{where}: repair found something to do"
    assert disagreements(host) == [], where
    return seen
