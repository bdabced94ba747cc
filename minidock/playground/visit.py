"""What the CLI does with playgrounds: begin one, enter one, count what lives in one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from minidock.playground import entry, errand, registry
from minidock.playground.registry import Playground
from minidock.playground.room import Newborn


def begin(name: str, argv: Sequence[str], lan: int | None = None) -> int:
    """Make a playground and run the command in it; a nameless one ends with the command, or with us.

    It has a LAN unless `lan` is None: the seconds after which its DHCP clients shall renew.
    """
    if name:
        pid, notes = make(name, lan)
    else:
        newborn = Newborn(name, lan)
        pid, notes = newborn.pid, newborn.wait()
    for line in notes:
        print(f"minidock: note: {line}", file=sys.stderr)
    return entry.run(os.pidfd_open(pid), pid, name, argv)


def make(name: str, lan: int | None = None) -> tuple[int, list[str]]:
    """Make a playground that stays; its PID 1, and notes for the user."""
    with registry.held() as path:
        registry.vacant(path, name)
        newborn = Newborn(name, lan)
        registry.record(path, name, newborn.pid)
        return newborn.pid, newborn.wait()


def enter(name: str, argv: Sequence[str]) -> int:
    """Run the command in a named playground."""
    room = registry.find(name)
    with registry.grasped(room) as pidfd:
        return entry.run(pidfd, room.pid, name, argv)


def within(name: str, task: Callable[[], Any]) -> Any:
    """What the task returns (values that can be pickled), done by a process that stands in a named playground."""
    room = registry.find(name)
    with registry.grasped(room) as pidfd:
        return errand.done(pidfd, room.pid, name, task)


def inhabitants(room: Playground) -> list[int]:
    """Its processes by their numbers inside, containers' too, as its own /proc lists them."""
    try:
        return sorted(int(entry) for entry in os.listdir(f"/proc/{room.pid}/root/proc") if entry.isdigit())
    except OSError:
        return []


def private_kb(room: Playground) -> int:
    """The memory its processes share with nobody (man 5 proc, smaps_rollup)."""
    return sum(_private_kb(f"/proc/{room.pid}/root/proc/{inhabitant}/smaps_rollup")
               for inhabitant in inhabitants(room))


def _private_kb(path: str) -> int:
    try:
        with open(path) as rollup:
            return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    except OSError:  # it has just ended
        return 0
