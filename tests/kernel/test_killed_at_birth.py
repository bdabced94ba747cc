"""A start that is killed just when its container's process has been born."""

from __future__ import annotations

import fcntl
import os
import threading

from tests.ground import Host
from tests.kernel.aftermath import mend, rows
from tests.kernel.killing import EFFECTS, calls, killed_before
from tests.kernel.test_kill import SCENES, ready, still, wipe  # noqa: F401  a fixture among them


def test_the_next_command_waits_for_the_newborn(ready: Host) -> None:  # noqa: F811
    """The newborn has a copy of the lock until it has run, and died of it: the next command waits for that."""
    command, before = SCENES["run"].command, still(ready)
    found = calls(ready, EFFECTS, *command)
    wipe(ready)
    born = next(number for number, call in enumerate(found) if call.name == "clone3")
    assert killed_before(found[born + 1], *command)
    ((container,),) = rows(ready.directory / "run/run.db", "SELECT container FROM running")
    copy = os.open(ready.directory / f"run/locks/container-{container[:12]}", os.O_RDWR)
    fcntl.flock(copy, fcntl.LOCK_EX)
    threading.Timer(0.3, os.close, (copy,)).start()
    assert mend() == ["container web: its monitor was killed: cleaned up after it"]
    assert ready.settled(before) == before
