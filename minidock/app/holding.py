"""How a container's process is held: by this very command, or by a monitor of its own that outlives it."""

from __future__ import annotations

import os
import sys

from minidock.app import naming
from minidock.model.container import Container
from minidock.model.process import Process
from minidock.model.record import Record
from minidock.sandbox import errands
from minidock.sandbox.liveness import start_time
from minidock.sandbox.spawn import close, spawn

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from minidock.sandbox.pump import Duties


class Attached:
    """The process is a child of this very command, which pumps its output and waits for it."""

    def __init__(self) -> None:
        self.sockets: list[int] = []  # they hold its host ports until it ends

    def duties(self) -> Duties:
        """What this process does as the container's monitor besides passing on its words."""
        from minidock.sandbox.pump import Duties

        return Duties(self.guard, self.channel, self.sockets, naming.guard)

    def spawn(self, process: Process, directory: str, container: Container, names: str) -> Started:
        """The waiting process; its monitor is this process."""
        self.guard = naming.guard(names)
        self.channel = errands.opened(directory)
        self.spawned = spawn(process, directory)
        one = self.spawned
        return Started(one.pid, one.started, os.getpid(), start_time(os.getpid()), one.go, one.failure)


class Detached:
    """The process gets a monitor of its own, which outlives this command."""

    def __init__(self) -> None:
        self.sockets: list[int] = []  # they hold its host ports; the monitor takes them over

    def spawn(self, process: Process, directory: str, container: Container, names: str) -> Started:
        """The waiting process and its monitor, which guards the name server of the RUN directory `names`."""
        from minidock.sandbox.detach import Watch, detach

        channel = errands.opened(directory)
        watch = Watch(f"{directory}/log", directory, reaper(container), tuple(self.sockets), names, channel)
        try:
            found = detach(process, directory, watch)
        finally:
            close(channel)
        let_ports_go(self)
        return Started(*found)


class Started(Record):
    """A process that waits for its byte, and the monitor that waits for the process."""

    pid: int
    pid_started: int
    monitor: int
    monitor_started: int
    go: int
    failure: int


def let_ports_go(how: Attached | Detached) -> None:
    """Close our copies of the sockets that hold host ports: before the rows say that the ports are free."""
    close(*how.sockets)
    how.sockets.clear()


def reaper(container: Container) -> tuple[str, ...]:
    """The command that cleans up after a container, `minidock system reap ID CODE`, wherever minidock lies."""
    parent = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = f"import sys; sys.path.insert(0, {parent!r}); from minidock.cli.main import main; main()"
    return (sys.executable, "-c", program, "system", "reap", container.id)
