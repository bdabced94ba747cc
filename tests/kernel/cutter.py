"""An exception nobody else raises, before or after one chosen effect of a command's work, in a forked child."""

from __future__ import annotations

import functools
import json
import mmap
import os
import random
import traceback
from collections.abc import Callable
from typing import Any

from minidock.app import ending, holding, naming, starting
from minidock.app.context import App
from minidock.errors import MinidockError
from minidock.kernel import dhcp, portsockets
from minidock.kernel.handle import Kernel
from minidock.model.record import Record
from minidock.objects import KINDS, RuleSet
from minidock.sandbox import detach, errands, spawn
from minidock.store.journal import Journal
from minidock.store.leases import LeaseRows
from minidock.store.names import NameRows
from minidock.store.ports import HostPorts
from minidock.store.registry import Containers, Networks
from minidock.store.relays import RelayRows
from minidock.store.runs import Runs
from minidock.store.state import State

LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SEED = int(os.environ.get("MINIDOCK_CUT_SEED", "1"))

EFFECTS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    *((kind, ("create", "delete")) for kind in KINDS.values()),
    (RuleSet, ("renew",)),
    (Networks, ("add", "set_state", "remove")),
    (Containers, ("add", "presume", "ended", "remove", "change")),
    (Runs, ("begin", "join", "started", "stopping", "over", "turn", "rewrite", "part", "unsettle")),
    (Journal, ("open", "reopen", "newest", "intend", "note", "forget", "built", "razing", "close")),
    (HostPorts, ("release", "take")),
    (RelayRows, ("add", "remove")),
    (LeaseRows, ("lent", "wait")),
    (dhcp, ("obtain", "renew", "release")),
    (NameRows, ("serve", "enter", "leave", "retire")),
    (portsockets, ("hold",)),
    (Kernel, ("settle", "delete_link")),
    (State, ("unlock_files",)),
    (starting, ("release", "forget")),
    (holding, ("spawn", "let_ports_go")),
    (naming, ("write_files", "rewrite_hosts", "rewrite_resolv_conf", "tell_server")),
    (errands, ("hold", "drop", "guard", "unguard")),
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
            self.done |= (owner, name) == (starting, "release")
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


def do(*works: Callable[[App], None]) -> None:
    """Do them in children, uncut; each must succeed."""
    for work in works:
        outcome = attempt(work)
        assert (outcome.reached, outcome.error) == ("", "")


def chosen(points: int, most: int, name: str) -> list[int]:
    """All points, or in the short form so many of them, chosen by the seed."""
    every = range(1, points + 1)
    return list(every) if LONG else sorted(random.Random(f"{SEED}/{name}").sample(every, min(most, points)))
