"""One step of what a command does."""

from __future__ import annotations

from minidock.model.record import Record
from minidock.objects import KernelObject


class Step(Record):
    """One thing made or unmade, or a process started or ended (then `command` is its words, `note` whose it is)."""

    scope: str
    made: bool
    object: KernelObject | None = None
    command: tuple[str, ...] = ()
    note: str = ""
    why: str = ""
