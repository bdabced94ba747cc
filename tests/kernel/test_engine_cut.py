"""The cut test: an exception nobody else raises, before and after every effect of every command, leaves no trace.

Each attempt is a forked child that does one command's work with a `Cut` at its Nth point; N grows until the command
survives. While the command builds, its own undoing must suffice: the kernel is as before at once. Once it removes,
the next command finishes the removal. Either way the rows agree and no process is left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from minidock.app import containers, ending, holding, networks, starting
from minidock.app.context import App
from minidock.app.networks import Request
from minidock.app.pools import Wishes
from minidock.cli.running import serve
from minidock.errors import MinidockError
from minidock.model.container import Container
from minidock.model.network import Attachment
from minidock.model.record import Record
from minidock.objects import Plan
from tests.ground import Host, until
from tests.kernel.aftermath import bury, childless, disagreements, mend, orphanage, settled_picture, tidied
from tests.kernel.cutter import LONG, SEED, Outcome, attempt, chosen, do

WEB = Container(id="", name="web", created="", argv=("sleep", "60"), network_mode="br0", hostname="",
                attachments=(Attachment("", "br0"),),
                ports=("8080:80", "5353:53/udp"))

def create_network(app: App) -> None:
    networks.create(app, Request("br1", addresses=Wishes(subnets=("172.29.0.0/16",))))


def remove_network(app: App) -> None:
    networks.remove(app, "br1")


def create_l2(app: App, parent: str = "eth1") -> None:
    networks.create(app, Request("br1", "macvlan", Wishes(subnets=("10.77.0.0/24",)),
                                 (("parent", parent), ("host_access", "true"))))


def create_on_vlan(app: App) -> None:
    create_l2(app, "eth1.10")


def create_on_dummy(app: App) -> None:
    networks.create(app, Request("br1", "macvlan", Wishes(subnets=("10.77.0.0/24",))))


def run_on_l2(app: App) -> None:
    wanted = WEB.but(network_mode="br1", attachments=(Attachment("", "br1"),), ports=())
    starting.start(app, containers.configured(app, wanted), holding.Detached(), fresh=True)


def run_attached(app: App) -> None:
    wanted = WEB.but(argv=("true",), auto_remove=True)
    container, how = containers.configured(app, wanted), holding.Attached()
    starting.start(app, container, how, fresh=True)
    serve(app, container, how, False)


def run_detached(app: App) -> None:
    starting.start(app, containers.configured(app, WEB), holding.Detached(), fresh=True)


def run_what_fails(app: App) -> None:
    wanted = WEB.but(argv=("/nonexistent",), auto_remove=True)
    starting.start(app, containers.configured(app, wanted), holding.Detached(), fresh=True)


def start_again(app: App) -> None:
    starting.start(app, app.state.containers.find("web"), holding.Detached(), fresh=False)


def stop(app: App) -> None:
    ending.stop(app, app.state.containers.find("web"), 0)


def remove_by_force(app: App) -> None:
    ending.remove(app, app.state.containers.find("web"), force=True)


def remove_stopped(app: App) -> None:
    ending.remove(app, app.state.containers.find("web"), force=False)


def nothing(app: App) -> None:
    return


class Job(Record):
    """A command's work, what is done before it, and what brings a host on which it succeeded back."""

    work: Callable[[App], None]
    first: tuple[Callable[[App], None], ...] = ()
    back: tuple[Callable[[App], None], ...] = ()
    builds: bool = True  # does it make things, and so takes them back when it is cut?


JOBS = {
    "net create": Job(create_network, back=(remove_network,)),
    "net rm": Job(remove_network, (create_network,), builds=False),
    "run --rm": Job(run_attached),
    "net create, macvlan": Job(create_l2, back=(remove_network,)),
    "net create, VLAN": Job(create_on_vlan, back=(remove_network,)),
    "net rm, VLAN": Job(remove_network, (create_on_vlan,), builds=False),
    "net create, dummy": Job(create_on_dummy, back=(remove_network,)),
    "net rm, dummy": Job(remove_network, (create_on_dummy,), builds=False),
    "run -d, VLAN": Job(run_on_l2, (create_on_vlan,), (remove_by_force, remove_network)),
    "run -d, macvlan": Job(run_on_l2, (create_l2,), (remove_by_force, remove_network)),
    "run -d": Job(run_detached, back=(remove_by_force,)),
    "run of what cannot run": Job(run_what_fails),
    "start": Job(start_again, (run_detached, stop), (remove_by_force,)),
    "stop": Job(stop, (run_detached,), (remove_stopped,), builds=False),
    "rm": Job(remove_stopped, (run_detached, stop), builds=False),
    "rm -f": Job(remove_by_force, (run_detached,), builds=False),
}


@pytest.fixture
def ready(host: Host, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host with an interface eth1, the network br0 (but where VLANs and dummies are: that kernel may have no NAT),
    every identifier pinned, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "cut")
    host.shell("ip link add eth1 type veth peer name p0; ip link set eth1 up")
    if not _elsewhere(request.node.name):
        host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    with orphanage():
        yield host
        do(remove_all)
        assert childless()


def remove_all(app: App) -> None:
    for container, _ in app.state.containers.all():
        ending.remove(app, container, force=True)


def _elsewhere(name: str) -> set[str]:
    """What a job needs that the machine's own kernel may lack."""
    return {word.lower() for word in ("VLAN", "dummy") if word in name}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.kernel(*_elsewhere(name))) for name in JOBS])
def test_a_cut_at_any_point_leaves_no_trace(ready: Host, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    job = JOBS[name]
    points, after = _rehearsed(ready, job)
    picked = chosen(points, 3 if _elsewhere(name) else 14, name)  # that kernel is slow
    stands = False
    for cut in picked:
        if not stands:
            do(*job.first)
            stands, before = True, settled_picture(ready)
        outcome = attempt(job.work, cut)
        where = f"{name}, point {cut} of {points}: {outcome.reached}"
        assert outcome.reached, f"{where}: it was not cut"
        assert outcome.error == "", where
        stands = _judge(ready, job, outcome, before, after, where)
    with capsys.disabled():
        print(f" {name}: {len(picked)} of {points} points;", end="")


def _rehearsed(host: Host, job: Job) -> tuple[int, dict[str, object]]:
    """How many points the uncut work has, and the picture after it; then the host is as it was."""
    do(*job.first)
    outcome = attempt(job.work)
    assert (outcome.reached, outcome.error) == ("", "")
    after = settled_picture(host)
    assert disagreements(host) == []
    do(*job.back)
    return outcome.points, after


def _judge(host: Host, job: Job, outcome: Outcome, before: dict[str, object], after: dict[str, object],
           where: str) -> bool:
    """Check what the cut left; is everything again as before the work?"""
    taken_back = job.builds and not outcome.done
    if taken_back:
        assert host.settled(before) == before, f"{where}: not taken back at once"
    tidied()
    wanted = [before] if taken_back else [before, after]
    seen = host.settled(before, 0.05)
    seen = seen if seen in wanted else host.settled(after)
    assert seen in wanted, f"{where}: neither as before nor as after: {_difference(seen, before, after)}"
    mended = [line for line in mend() if not line.startswith("files of")]  # these wait for `system repair`
    assert mended == [], f"{where}: repair found something to do"
    left = until(lambda: (bury(), disagreements(host))[1], lambda found: found == [])  # a monitor may be at it
    assert left == [], f"{where}: {left}"
    return _same_rows(job)


def _difference(seen: dict[str, object], *wanted: dict[str, object]) -> list[dict[str, object]]:
    return [{key: (value, other[key]) for key, value in seen.items() if value != other[key]} for other in wanted]


def _same_rows(job: Job) -> bool:
    """Leave the host as before `first`; True: there is no `first` to be done again."""
    do(remove_all)
    app = App()
    stands = any(network.name == "br1" for network in app.state.networks.all())
    app.close()
    do(*([remove_network] if stands else []))
    assert childless(), "a process is left"
    return not job.first


@pytest.mark.parametrize("name", ["net create", "run --rm", "run -d"])
def test_a_second_cut_while_undoing_is_finished_by_the_next_command(ready: Host, name: str) -> None:
    """Ctrl-C twice: the undoing itself is cut; what is left is what `tidy` is for."""
    job = JOBS[name]
    points, after = _rehearsed(ready, job)
    before = settled_picture(ready)
    dice = random.Random(f"{SEED}/{name}/twice")
    twice = 0
    for _ in range(100 if LONG else 12):
        first = dice.randrange(1, points + 1)
        outcome = attempt(job.work, first, first + dice.randrange(1, 9))
        twice += " then " in outcome.reached
        assert outcome.error == "", outcome.reached
        assert _judge(ready, job.but(builds=False), outcome, before, after, f"{name}: {outcome.reached}")
    assert twice  # the control: some undoing was really cut


def test_a_refusal_leaves_what_is_in_the_way(host: Host) -> None:
    """The third object's name is taken by somebody else: ours go, theirs stays."""
    from ipaddress import IPv4Interface

    from minidock.objects import Address, Bridge, Netns, Up

    host.shell("ip link add br-theirs type bridge; ip link set br-theirs up")
    before = host.picture()
    plan: Plan = (Netns("", "md-0123456789ab"), Bridge("", "br-ours", "02:42:00:00:00:01"),
                  Address("", "", "br-ours", IPv4Interface("10.9.0.1/24")), Up("", "", "br-ours"),
                  Bridge("", "br-theirs", "02:42:00:00:00:02"))
    app = App()
    with pytest.raises(MinidockError, match="br-theirs exists already"):
        app.engine.build("network/0123456789ab", plan)
    assert not app.state.journal.has("network/0123456789ab")
    app.engine.build("network/0123456789ab", plan[:-1])  # the control: the rest was buildable
    assert host.picture() != before
    app.engine.raze("network/0123456789ab")
    app.close()
    assert host.settled(before) == before
