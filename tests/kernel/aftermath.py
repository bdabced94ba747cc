"""What a crash may leave, and what must agree once the next command has put things right."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from minidock.app import repair
from minidock.app.context import App
from minidock.kernel import netns, portsockets, syscalls
from minidock.sandbox.liveness import alive
from tests import nursery
from tests.ground import Host

_PR_SET_CHILD_SUBREAPER = 36
_PF_EXITING = 0x4  # include/linux/sched.h


@contextlib.contextmanager
def orphanage() -> Iterator[None]:
    """While inside, every orphan among our descendants becomes our child (man 2 prctl): none can hide."""
    syscalls.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        syscalls.prctl(_PR_SET_CHILD_SUBREAPER, 0)


def bury() -> bool:
    """Wait for the dead among our children; says whether any are alive."""
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
    return False


def childless(seconds: float = 5) -> bool:
    """Do all our children end within the time? The name server stays until somebody has cleaned up after the dead."""
    deadline = time.monotonic() + seconds
    while bury() and _others():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.003)
    return True


def _others() -> bool:
    """Is any child of ours something else than the name server, or than the nursery?"""
    children = set(_children()) - {nursery.of_process(os.getpid()).process.pid}
    return any(b"minidock.dns.process" not in _words(pid) for pid in children)


def _children() -> list[int]:
    return [int(word) for task in Path("/proc/self/task").iterdir() for word in (task / "children").read_text().split()]


def _words(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def mend() -> list[str]:
    """`minidock system repair`, without starting an interpreter for it; what it did."""
    bury()
    app = App()
    try:
        return [f"{item.what}: {item.done}" for item in repair.repair(app)]
    finally:
        app.close()


def tidied() -> list[str]:
    """What any next command does before its own work."""
    bury()
    app = App()
    try:
        return [f"{item.what}: {item.done}" for item in repair.tidy(app)]
    finally:
        app.close()


def settled_picture(host: Host) -> dict[str, object]:
    """The picture once two looks agree: links may die a moment after the command."""
    last = host.picture()
    while (now := host.settled(last, 0.02)) != last:
        last = now
    return last


def doomed(host: Host) -> list[str]:
    """What has been killed and has not ended yet: its SIGKILL is pending, or it is on its way out (PF_EXITING)."""
    found = rows(host.directory / "run/run.db", "SELECT container, pid, monitor FROM running")
    return [f"dying process of {row[0][:12]}" for row in found if any(map(_doomed, row[1:]))]


def _doomed(pid: int) -> bool:
    with contextlib.suppress(OSError):
        said = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        flags = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6])
        pending = int(said["SigPnd"], 16) | int(said["ShdPnd"], 16)
        return bool(flags & _PF_EXITING or pending >> (signal.SIGKILL - 1) & 1)
    return False


def disagreements(host: Host) -> list[str]:
    """Every row, name, file and process that contradicts another; nothing may be half done."""
    ready, unready = _networks(host)
    names = rows(host.directory / "root/minidock.db", "SELECT id, name FROM containers")
    known = {container[:12] for container, _ in names}
    running = rows(host.directory / "run/run.db", "SELECT container, state, pid, pid_started, monitor, "
                                                    "monitor_started FROM running")
    short = {row[0][:12] for row in running}
    found = [f"network {name} is {state}" for name, state in unready]
    found += [f"run of {row[0][:12]} is {row[1]}, known {row[0][:12] in known}" for row in running
              if row[1] != "running" or row[0][:12] not in known]
    found += [f"dead process of {row[0][:12]}" for row in running if not (alive(*row[2:4]) and alive(*row[4:6]))]
    found += doomed(host)
    found += _wrong_scopes(host, ready, short)
    found += [f"endpoint of {row[0][:12]} is {row[1]}" for row in
              rows(host.directory / "run/run.db", "SELECT container, state FROM endpoints")
              if row[1] != "up" or row[0][:12] not in short]
    found += [f"host port of {row[0][:12]}" for row in
              rows(host.directory / "run/run.db", "SELECT container FROM ports") if row[0][:12] not in short]
    found += _wrong_ports(host)
    found += [f"{table} of {row[0][:12]}" for table in ("names", "resolvers", "relays") for row in
              rows(host.directory / "run/run.db", f"SELECT container FROM {table}") if row[0][:12] not in short]
    spaces = {name for name in os.listdir(netns.DIRECTORY) if name.startswith("md-")} - host.before
    found += [f"sandbox {name}" for name in sorted(spaces - {f"md-{one}" for one in short})]
    directory = f"{host.directory}/run/containers"
    files = set(os.listdir(directory)) if os.path.isdir(directory) else set()
    return found + [f"files of {name}" for name in sorted(files - known)]


def _wrong_ports(host: Host) -> list[str]:
    """Monitors that do not hold exactly the ports of their rows, and rows of a change that is not over."""
    bound, run = portsockets.bound(), host.directory / "run/run.db"
    held = rows(run, "SELECT container, proto, ip, first, last FROM ports")
    found = []
    for container, monitor, unsettled in rows(run, "SELECT container, monitor, unsettled FROM running"):
        wanted = {(proto, ip_address(ip), port) for holder, proto, ip, first, last in held if holder == container
                  for port in range(first, last + 1)}
        seen = set(portsockets.held_by(monitor, bound))
        found += [f"{container[:12]} is unsettled"] * unsettled
        found += [f"{container[:12]} holds {sorted(map(str, seen))}, not {sorted(map(str, wanted))}"] * (seen != wanted)
    return found


def _networks(host: Host) -> tuple[set[str], list[tuple[str, str]]]:
    found = rows(host.directory / "root/minidock.db", "SELECT id, name, state FROM networks")
    return ({row[0][:12] for row in found if row[2] == "ready"},
            [(row[1], row[2]) for row in found if row[2] != "ready"])


def _wrong_scopes(host: Host, ready: set[str], running: set[str]) -> list[str]:
    scopes = rows(host.directory / "run/run.db", "SELECT scope, state FROM scopes")
    found = [f"scope {scope} is {state}" for scope, state in scopes if state != "built"]
    allowed = {"host": {"", "ipv6", "parent"}, "network": ready, "container": running}
    found += [f"scope {scope} is nobody's" for scope, _ in scopes
              if [*scope.split("/"), ""][1] not in allowed[scope.split("/")[0]]]
    orphans = rows(host.directory / "run/run.db",
                    "SELECT scope, kind FROM journal WHERE scope NOT IN (SELECT scope FROM scopes)")
    return found + [f"journal row of {scope}: {kind}" for scope, kind in orphans]


def rows(path: os.PathLike[str], query: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database that may not be there yet."""
    if not os.path.exists(path):
        return []
    with contextlib.closing(sqlite3.connect(path)) as sql:
        return sql.execute(query).fetchall()
