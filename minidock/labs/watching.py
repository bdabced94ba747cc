"""`check --watch`: the check again whenever the kernel's state changes; h hint, l task, r again, x explain, q quit."""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from minidock.labs import course, inside, telling
from minidock.labs.desk import Desk
from minidock.probes import trial

_LOOK_SECONDS, _ANYWAY_SECONDS = 0.5, 5.0
_KEYS = "h hint · l task · r again · x explain · q quit"


def watch(desk: Desk, language: str, stage: int | None) -> int:
    """Until it passes, or q; the exit code of the last check."""
    trial.warm()
    seen, checked, passed = "", 0.0, False
    course.need_alive(desk)
    with _keys():
        while not passed:
            now = inside.within(desk.playground, inside.picture)
            if now != seen or time.monotonic() - checked > _ANYWAY_SECONDS:
                verdict = course.check(desk, stage, keep=now != seen)
                seen, checked, passed = now, time.monotonic(), verdict.passed
                _show(telling.verdict(desk, verdict, language, stage))
            key = "" if passed else _pressed(_LOOK_SECONDS)
            if key == "q":
                break
            if key == "r":
                seen = ""
            _answer(desk, language, key)
    return 0 if passed else 1


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


def _pressed(seconds: float) -> str:
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return ""
    return sys.stdin.read(1) or "q"
