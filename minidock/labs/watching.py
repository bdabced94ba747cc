"""`check --watch`: the check again when the kernel's state changes; h hint, l task, r again, x explain, q quit."""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from minidock.kernel.changes import Changes
from minidock.labs import course, inside, telling
from minidock.labs.desk import Desk
from minidock.probes import trial

ANYWAY_SECONDS = 10.0  # for what no event tells: settings, servers
_KEYS = "h hint · l task · r again · x explain · q quit"


def watch(desk: Desk, language: str, stage: int | None) -> int:
    """Until it passes, or q; the exit code of the last check."""
    trial.warm()
    course.need_alive(desk)
    seen, proofs = "", list[str]()
    with _keys():
        while True:
            now = inside.within(desk.playground, partial(another, seen))
            key = _pressed() if now == seen else "r"
            if key == "q":
                return 1
            if key in ("", "r"):
                verdict = course.check(desk, stage, keep=key == "r")
                before, proofs = proofs, [outcome.verdict for outcome in verdict.outcomes]
                if key or proofs != before:
                    _show(telling.verdict(desk, verdict, language, stage))
                if verdict.passed:
                    return 0
            seen = now
            _answer(desk, language, key)


def another(seen: str) -> str:
    """A picture of the kernel that differs from the one seen; the same when a key was pressed, or after some seconds.

    Events are heard of before the picture is made, so none is lost; none of those that our own check makes is heard.
    """
    with contextlib.closing(Changes()) as changes:
        while (now := inside.picture()) == seen and changes.wait(ANYWAY_SECONDS, sys.stdin.fileno()):
            pass
    return now


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
def _keys() -> Iterator[None]:
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


def _pressed() -> str:
    """The key that was pressed, or ""; where there is no keyboard, q."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return ""
    return sys.stdin.read(1) or "q"
