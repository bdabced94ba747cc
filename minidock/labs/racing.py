"""`lab race`: a lab for several learners at once, each with a playground and a seed of their own, against one clock.

Each has a referee, a process that checks when the kernel's state there changes. What the learner checks counts as well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from minidock.errors import BadRequest, Conflict, MinidockError
from minidock.kernel import syscalls
from minidock.labs import course, report, telling
from minidock.labs import desk as desks
from minidock.labs.desk import Desk
from minidock.labs.folder import Folder
from minidock.labs.watching import Watch, keys, pressed
from minidock.probes import trial

_LOOK_SECONDS = 0.2


class Runner:
    """One of those who race."""

    def __init__(self, name: str, desk: Desk) -> None:
        self.name, self.desk = name, desk
        self.seconds: float | None = None  # when it had passed

    def look(self, elapsed: float) -> None:
        """Read how far it is."""
        self.desk.refresh()
        if self.seconds is None and self.desk.state["passed"]:
            self.seconds = elapsed

    @property
    def proofs(self) -> list[str]:
        """The verdicts of the last check."""
        checks = self.desk.state["checks"]
        return list(checks[-1]["proofs"].values()) if checks else []

    @property
    def rank(self) -> tuple[bool, float, int]:
        """Who has passed is before who has not, and there who has proven more."""
        return self.seconds is None, self.seconds or 0.0, -self.proofs.count("proven")


def line_up(folder: Folder, names: Sequence[str], language: str, options: dict[str, Any]) -> list[Runner]:
    """Start the lab for everybody; raise if somebody has begun it already."""
    if len(names) < 2 or len({*names}) < len(names):
        raise BadRequest("a race is between two learners or more", f"minidock lab race {folder.number} ann bob")
    for name in names:
        found = desks.existing(desks.name_of(folder, name))
        if found and found.alive:
            raise Conflict(f"{name} has begun lab {folder.number} already",
                           f"minidock playground rm {found.playground}")
    return [Runner(name, course.start(folder, name, name, language, options)) for name in names]


def run(runners: Sequence[Runner], tell: Callable[[float], object]) -> float:
    """Until all have passed, or q, or Ctrl-C; the seconds it took."""
    began = time.monotonic()
    with suppress(KeyboardInterrupt), _referees(runners), keys():
        while any(runner.seconds is None for runner in runners) and not _ended():
            elapsed = time.monotonic() - began
            for runner in runners:
                runner.look(elapsed)
            tell(elapsed)
    return time.monotonic() - began


def _ended() -> bool:
    """Is q pressed within a moment?"""
    if sys.stdin.isatty():
        return pressed(_LOOK_SECONDS) == "q"
    time.sleep(_LOOK_SECONDS)
    return False


@contextmanager
def _referees(runners: Sequence[Runner]) -> Iterator[None]:
    trial.warm()  # once, before the processes part
    pids = [_referee(runner.desk) for runner in runners]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _referee(desk: Desk) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            _judge(desk)
        finally:
            os._exit(0)
    return pid


def _judge(desk: Desk) -> None:
    with suppress(KeyboardInterrupt, MinidockError):  # its playground has gone: nobody passes there any more
        watched = Watch(desk)
        while not desk.state["passed"]:
            watched.check(asked=watched.wait())


def ranked(runners: Sequence[Runner]) -> list[Runner]:
    """The first is first."""
    return sorted(runners, key=lambda runner: runner.rank)


def board(runners: Sequence[Runner], language: str, elapsed: float) -> str:
    """Who is where, for a terminal."""
    folder = runners[0].desk.folder
    lines = [f" {folder.number} {folder.title(language)}   {_clock(elapsed)}", ""]
    wide = max(len(runner.name) for runner in runners)
    for place, runner in enumerate(ranked(runners), 1):
        when = "" if runner.seconds is None else _clock(runner.seconds)
        marks = "".join(telling.MARKS[proof] for proof in runner.proofs)
        row = report.row(runner.desk)
        facts = [row["proven"], telling.word("hints", language, row["hints"])]
        facts += [telling.word("assisted", language)] if row["assisted"] else []
        lines.append(f" {place if when else '–'}  {runner.name:{wide}}  {when:>5}  {marks}  {', '.join(facts)}")
    return "\n".join(lines)


def doors(runners: Sequence[Runner]) -> str:
    """What each types to begin."""
    number = runners[0].desk.folder.number
    return "\n".join(f"  minidock lab shell --lab {number} --name {runner.name}" for runner in runners)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def as_json(runners: Sequence[Runner], elapsed: float) -> str:
    """The ranking, for programs."""
    return json.dumps({"schema": "minidock.lab-race/v1", "lab": runners[0].desk.folder.name,
                       "seconds": round(elapsed, 1), "ranking": [_row(runner) for runner in ranked(runners)]},
                      ensure_ascii=False, indent=2)


def _row(runner: Runner) -> dict[str, Any]:
    told = report.row(runner.desk)
    return {"name": runner.name, "seconds": None if runner.seconds is None else round(runner.seconds, 1),
            "playground": told["name"], **{fact: told[fact] for fact in ("proven", "checks", "hints", "assisted")}}
