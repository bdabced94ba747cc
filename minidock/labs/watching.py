"""`check --watch`: the check again when the kernel's state changes; h hint, l task, r again, x explain, q quit."""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from minidock.kernel.changes import Changes
from minidock.labs import course, inside, telling
from minidock.labs.desk import Desk
from minidock.probes import trial

ANYWAY_SECONDS = 10.0  # for what no event tells: settings, servers
_KEYS = "h hint · l task · r again · x explain · q quit"


class Watch:
    """Checks that follow one another."""

    def __init__(self, desk: Desk, stage: int | None = None) -> None:
        trial.warm()
        course.need_alive(desk)
        self.desk, self.stage = desk, stage or desk.folder.stages
        self._seen, self._proofs = "", list[str]()

    def wait(self, *keyboard: int) -> bool:
        """Until the kernel's state is another one; False when a key was pressed, or after some seconds."""
        seen, self._seen = self._seen, inside.within(self.desk.playground, partial(_another, self._seen, keyboard))
        return seen != self._seen

    def check(self, asked: bool) -> Any:
        """The verdict; None if nobody has asked for it, and it says nothing new. What is told is recorded."""
        self.desk.refresh()  # the prediction is part of it
        verdict = course.check(self.desk, self.stage, keep=False)
        before, self._proofs = self._proofs, [outcome.verdict for outcome in verdict.outcomes]
        if not asked and self._proofs == before:
            return None
        course.record(self.desk, verdict, self.stage)
        return verdict


def _another(seen: str, keyboard: Sequence[int]) -> str:
    """A picture of the kernel that differs from the one seen; the same when a key was pressed, or after some seconds.

    Events are heard of before the picture is made, so none is lost; none of those that our own check makes is heard.
    """
    with contextlib.closing(Changes()) as changes:
        while (now := inside.picture()) == seen and changes.wait(ANYWAY_SECONDS, *keyboard):
            pass
    return now


def watch(desk: Desk, language: str, stage: int | None) -> int:
    """Until it passes, or q; the exit code of the last check."""
    watched = Watch(desk, stage)
    with keys():
        while True:
            key = "r" if watched.wait(sys.stdin.fileno()) else pressed(0)
            if key == "q":
                return 1
            verdict = watched.check(asked=key == "r") if key in ("", "r") else None
            if verdict:
                _show(telling.verdict(desk, verdict, language, stage))
                if verdict.passed:
                    return 0
            _answer(desk, language, key)


def _show(text: str) -> None:
    clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
    print(f"{clear}{text}\n\n {_KEYS}", flush=True)


def _answer(desk: Desk, language: str, key: str) -> None:
    if key == "h":
        number, count, text = course.hint(desk)
        print(f"{number}/{count}  {telling.wrapped(text, '     ')}", flush=True)
    elif key == "l":
        print(telling.task(desk, language), flush=True)
    elif key == "x":
        print(telling.explanation(desk, language), flush=True)


@contextmanager
def keys() -> Iterator[None]:
    """Keys are read one by one, where there is a keyboard; the terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def pressed(seconds: float) -> str:
    """The key that is pressed within the time, or ""; at the end of the input, q."""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return ""
    return sys.stdin.read(1) or "q"
