"""What a command does to the kernel, told step by step: what --explain and --dry-run print.

The engine is the witness; in a rehearsal a stand-in tells the same story and does nothing.
"""

from __future__ import annotations

from minidock.engine import Engine, differing
from minidock.objects import KernelObject, Plan
from minidock.objects.step import Step
from minidock.store.journal import Entry


class Story:
    """The steps of one command, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def tell(self, scope: str, item: KernelObject, made: bool) -> None:
        """An object was made or unmade."""
        self.steps.append(Step(scope, made, item))

    def tell_process(self, scope: str, command: tuple[str, ...], note: str, why: str, started: bool = True) -> None:
        """A process was started or ended: one labelled line."""
        self.steps.append(Step(scope, started, None, command, note, why))


def departing(entries: list[Entry]) -> list[Entry]:
    """What a removal deletes, in its order: what lives in a namespace that goes too is left to die with it."""
    doomed = {entry.object.makes for entry in entries} - {""}
    return [entry for entry in reversed(entries) if entry.object.home not in doomed]


class Rehearsal(Engine):
    """The engine of --dry-run: looks, tells what the real one would do, and does nothing."""

    def build(self, scope: str, plan: Plan) -> None:
        """Tell each object of the plan."""
        for item in plan:
            self._witness(scope, item, True)

    def amend(self, scope: str, plan: Plan) -> None:
        """Tell what differs."""
        first, makes, last = differing(self.journal.entries(scope), plan)
        for entry in first:
            self._witness(scope, entry.object, False)
        for item, older in makes:
            if older:
                self._witness(scope, older.object, False)
            self._witness(scope, item, True)
        for entry in last:
            self._witness(scope, entry.object, False)

    def raze(self, scope: str) -> None:
        """Tell the deletions, newest first."""
        for entry in departing(self.journal.entries(scope)):
            self._witness(entry.scope, entry.object, False)

    def restore(self, entry: Entry) -> None:
        """Tell what is lost."""
        self._witness(entry.scope, entry.object, True)
