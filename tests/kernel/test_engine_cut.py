"""The cut test: an exception nobody else raises, before and after every effect of every command, leaves no trace.

Each attempt is a forked child that does one command's work with a `Cut` at its Nth point; N grows until the command
survives. While the command builds, its own undoing must suffice: the kernel is as before at once. Once it removes,
the next command finishes the removal. Either way the rows agree and no process is left.
"""

from __future__ import annotations

import functools
import json
import mmap
import os
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minidock.app import containers, ending, naming, networks, starting
from minidock.app.context import App
from minidock.app.networks import Request
from minidock.app.pools import Wishes
from minidock.cli.running import serve
from minidock.errors import MinidockError
from minidock.kernel import portsockets
from minidock.kernel.handle import Kernel
from minidock.model.container import Container
from minidock.model.network import Attachment
from minidock.model.record import Record
from minidock.objects import KINDS, Plan
from minidock.sandbox import detach, spawn
from minidock.store.journal import Journal
from minidock.store.ports import HostPorts
from minidock.store.registry import Containers, Networks
from minidock.store.runs import Runs
from minidock.store.state import State
from tests.ground import Host, until
from tests.kernel.aftermath import bury, childless, disagreements, mend, orphanage, tidied

WEB = Container(id="", name="web", created="", argv=("sleep", "60"), network_mode="br0", hostname="",
                attachments=(Attachment("", "br0"),),
                ports=("8080:80", "5353:53/udp"))
LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SEED = int(os.environ.get("MINIDOCK_CUT_SEED", "1"))

EFFECTS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    *((kind, ("create", "delete")) for kind in KINDS.values()),
    (Networks, ("add", "set_state", "remove")),
    (Containers, ("add", "presume", "ended", "remove")),
    (Runs, ("begin", "join", "started", "stopping", "over")),
    (Journal, ("open", "intend", "note", "forget", "built", "razing", "close")),
    (HostPorts, ("take",)),
    (portsockets, ("hold",)),
    (Kernel, ("settle", "delete_link")),
    (State, ("unlock_files",)),
    (starting, ("spawn", "release", "forget", "let_ports_go")),
    (naming, ("write_files",)),
    (spawn, ("clone",)),
    (detach, ("detach",)),
    (ending, ("signal_process", "wait_gone", "forget")),
)


class Cut(BaseException):
    """Raised by nobody else."""


class Cutter:
    """Counts the points that are passed, and raises a Cut at some of them, each in one process only."""

    def __init__(self, *cuts: int) -> None:
        self.cuts = cuts
        self.points = 0
        self.done = False  # is the work done, or does the container's program run?
        self.reached: list[str] = []
        self.spent = mmap.mmap(-1, 1)  # shared with what we fork: the monitor counts on from our count

    def point(self, name: str) -> None:
        self.points += 1
        spent = self.spent[0]
        if spent < len(self.cuts) and self.points == self.cuts[spent]:
            self.spent[0] = spent + 1
            self.reached.append(name)
            raise Cut(name)

    def told(self) -> str:
        """Where the cuts were."""
        elsewhere = ["in the monitor"] * (self.spent[0] - len(self.reached))
        return " then ".join([*elsewhere, *self.reached])

    def around(self, owner: Any, name: str) -> None:
        """Put a point before and one after a method or function."""
        done = getattr(owner, name)

        @functools.wraps(done)
        def cut(*values: Any, **named: Any) -> Any:
            self.point(f"before {owner.__name__}.{name}")
            result = done(*values, **named)
            self.done |= name == "release"
            self.point(f"after {owner.__name__}.{name}")
            return result

        setattr(owner, name, cut)


class Outcome(Record):
    """How an attempt ended."""

    points: int
    reached: str  # where it was cut; "" if the command went through
    done: bool
    error: str


def attempt(work: Callable[[App], None], *cuts: int) -> Outcome:
    """Do the work in a child, with these cuts."""
    ears, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ears)
        _live(work, Cutter(*cuts), mouth)
    os.close(mouth)
    told = os.read(ears, 65536)
    os.close(ears)
    os.waitpid(child, 0)
    return Outcome(**json.loads(told))


def _live(work: Callable[[App], None], cutter: Cutter, mouth: int) -> None:
    error = ""
    try:
        for owner, names in EFFECTS:
            for name in names:
                cutter.around(owner, name)
        app = App(lingering=True)
        try:
            work(app)
            cutter.done = True
        finally:
            app.close()
    except (Cut, MinidockError):
        pass
    except BaseException:
        error = traceback.format_exc()
    finally:
        outcome = Outcome(cutter.points, cutter.told(), cutter.done, error)
        os.write(mouth, json.dumps(dict(zip(Outcome.fields, outcome, strict=True))).encode())
        os._exit(0)


def create_network(app: App) -> None:
    networks.create(app, Request("br1", addresses=Wishes(subnets=("172.29.0.0/16",))))


def remove_network(app: App) -> None:
    networks.remove(app, "br1")


def create_l2(app: App, parent: str = "eth1") -> None:
    networks.create(app, Request("br1", "macvlan", Wishes(subnets=("10.77.0.0/24",)),
                                 (("parent", parent), ("host_access", "true"))))


def create_on_vlan(app: App) -> None:
    create_l2(app, "eth1.10")


def run_on_l2(app: App) -> None:
    wanted = WEB.but(network_mode="br1", attachments=(Attachment("", "br1"),), ports=())
    starting.start(app, containers.configured(app, wanted), starting.Detached(), fresh=True)


def run_attached(app: App) -> None:
    wanted = WEB.but(argv=("true",), auto_remove=True)
    container, how = containers.configured(app, wanted), starting.Attached()
    starting.start(app, container, how, fresh=True)
    serve(app, container, how, False)


def run_detached(app: App) -> None:
    starting.start(app, containers.configured(app, WEB), starting.Detached(), fresh=True)


def run_what_fails(app: App) -> None:
    wanted = WEB.but(argv=("/nonexistent",), auto_remove=True)
    starting.start(app, containers.configured(app, wanted), starting.Detached(), fresh=True)


def start_again(app: App) -> None:
    starting.start(app, app.state.containers.find("web"), starting.Detached(), fresh=False)


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
    """A host with an interface eth1, the network br0 (but where VLANs are: that kernel may have no NAT), every
    identifier pinned, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "cut")
    host.shell("ip link add eth1 type veth peer name p0; ip link set eth1 up")
    if "VLAN" not in request.node.name:
        host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    with orphanage():
        yield host
        do(remove_all)
        assert childless()


def remove_all(app: App) -> None:
    for container, _ in app.state.containers.all():
        ending.remove(app, container, force=True)


def do(*works: Callable[[App], None]) -> None:
    """Do them in children, uncut; each must succeed."""
    for work in works:
        outcome = attempt(work)
        assert (outcome.reached, outcome.error) == ("", "")


def chosen(points: int, most: int, name: str) -> list[int]:
    """All points, or in the short form so many of them, chosen by the seed."""
    every = range(1, points + 1)
    return list(every) if LONG else sorted(random.Random(f"{SEED}/{name}").sample(every, min(most, points)))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.kernel("vlan") if "VLAN" in name else ())
                                  for name in JOBS])
def test_a_cut_at_any_point_leaves_no_trace(ready: Host, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    job = JOBS[name]
    points, after = _rehearsed(ready, job)
    picked = chosen(points, 6 if "VLAN" in name else 14, name)  # their kernel is slow
    stands = False
    for cut in picked:
        if not stands:
            do(*job.first)
            stands, before = True, _settled_picture(ready)
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
    after = _settled_picture(host)
    assert disagreements(host) == []
    do(*job.back)
    return outcome.points, after


def _settled_picture(host: Host) -> dict[str, object]:
    """The picture once two looks agree: links may die a moment after the command."""
    last = host.picture()
    while (now := host.settled(last, 0.02)) != last:
        last = now
    return last


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
    before = _settled_picture(ready)
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
