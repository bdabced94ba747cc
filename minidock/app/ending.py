"""Use cases: how containers end. Reaping, stop, kill, rm, wait."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable

from minidock.app import events
from minidock.app.context import App, now
from minidock.app.story import departing
from minidock.errors import BadRequest, Conflict
from minidock.model.container import Container, End, Run
from minidock.model.network import Endpoint
from minidock.sandbox.liveness import alive, signal_process, wait_gone

_KILLED = 128 + signal.SIGKILL


def reap(app: App, container_id: str, code: int | None, life: str = "") -> bool:
    """Clean up after a container whose process is dead: how it ended, its objects, its lease. Was there anything?

    The monitor's last act; the same code repairs after a monitor that was killed (code None: unknown).
    Every step may be the last before a `kill -9`: the next call goes on from there. Only the `life` that began
    then is meant, by default the one whose monitor we are: the container may have been started again meanwhile.
    """
    with app.state.container_lock(container_id):
        run = app.state.runs.of(container_id)
        if run is None or not _meant(run, life):
            return False
        if run.pid and alive(run.pid, run.pid_started):
            signal_process(run.pid, run.pid_started, signal.SIGKILL)
            wait_gone(run.pid, run.pid_started, 10)
        _finish(app, container_id, run, code)
    return True


def _meant(run: Run, life: str) -> bool:
    if life:
        return run.started == life
    return run.monitor == os.getpid() or not alive(run.monitor, run.monitor_started)


def _finish(app: App, container_id: str, run: Run, code: int | None) -> None:
    container = app.state.containers.get(container_id)
    never_ran = app.state.runs.is_fresh(container_id)
    if container and not never_ran:
        _record_end(app, container, run, code)
    tell_parting = events.parting(app, container, run)
    served, carried = app.state.names.served(container_id), app.state.relays.served(container_id)
    app.state.runs.stopping(container_id)
    if served or carried:
        from minidock.app import naming  # only some containers have a name server

        naming.tell_server(app, wait=carried)  # a port it carries is free when it has let go
    give_back(app, app.state.runs.endpoints(container_id=container_id))
    app.engine.raze(f"container/{container_id[:12]}")
    if container is None:
        _forget_files(app, container_id[:12])
    elif never_ran or container.auto_remove:
        forget(app, container)
    app.state.runs.over(container_id)
    tell_parting()


def give_back(app: App, ends: Iterable[Endpoint]) -> None:
    """Tell the DHCP servers that what they have lent is free; by links that still are there."""
    lent = [end for end in ends if end.lease]
    if lent and not app.dry:
        from minidock.app import dhcp  # dear, and most networks have addresses of their own

        dhcp.release(app, lent)


def _record_end(app: App, container: Container, run: Run, code: int | None) -> None:
    """Keep the exit code; the one found first stays."""
    before = app.state.containers.end_of(container)
    if run.state == "stopping" and before and before.finished and before.starts == run.starts:
        return
    if code is None:
        code = _left_code(app, container)
    if container.auto_remove:
        app.state.durable.ephemeral()
    _tell_waiters(app, container, code)
    app.state.containers.ended(container, End(code, run.started, now(), "", run.starts))


def _left_code(app: App, container: Container) -> int:
    """The exit code the monitor wrote down before it was killed; else what SIGKILL gives."""
    with contextlib.suppress(OSError, ValueError), open(f"{app.state.directory(container)}/exit") as file:
        return int(file.read())
    return _KILLED


def _tell_waiters(app: App, container: Container, code: int) -> None:
    """`minidock wait` holds this file open: it learns the code even when the container is removed at once."""
    with contextlib.suppress(OSError), open(f"{app.state.directory(container)}/status", "r+") as file:
        file.write(f"{code}\n")


def forget(app: App, container: Container) -> None:
    """Remove a container's files and row, in this order: while there is a row, somebody comes back for the files."""
    discard(f"{app.state.run}/containers/{container.short}")
    app.state.leases.forget(container.id)
    app.state.containers.remove(container)
    app.state.unlock_files("container", container.short)


def _forget_files(app: App, short: str) -> None:
    discard(f"{app.state.run}/containers/{short}")
    app.state.unlock_files("container", short)


def discard(directory: str) -> None:
    """Remove a container's files, as far as they go; shutil would cost each command 2 ms of imports."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{directory}/{name}")
        os.rmdir(directory)


def stop(app: App, container: Container, grace_seconds: float | None) -> None:
    """SIGTERM, after the grace (None: never) SIGKILL; returns when all is cleaned up. Not running: nothing to do."""
    run = app.state.runs.of(container.id)
    if run is None:
        return
    _tell_end(app, container)
    if app.dry:
        return
    _kill(app, container, run, signal.SIGTERM)
    if not _ends_within(container, run, grace_seconds):
        _kill(app, container, run, signal.SIGKILL)
        wait_gone(run.pid, run.pid_started, 10)
    settle(app, container, run)
    events.container(app, "stop", container)


def _kill(app: App, container: Container, run: Run, signum: int) -> None:
    if signal_process(run.pid, run.pid_started, signum):
        events.container(app, "kill", container, signal=str(int(signum)))


def _ends_within(container: Container, run: Run, grace_seconds: float | None) -> bool:
    """Wait for its end; who waits longer than a second at a terminal is told for what."""
    if grace_seconds is None:
        return wait_gone(run.pid, run.pid_started, None)
    first = min(1.0, grace_seconds)
    if wait_gone(run.pid, run.pid_started, first):
        return True
    if grace_seconds > first and sys.stderr.isatty():
        print(f"minidock: {container.name} has not ended yet; SIGKILL follows in {grace_seconds - first:.0f} s",
              file=sys.stderr)
    return wait_gone(run.pid, run.pid_started, grace_seconds - first)


def settle(app: App, container: Container, run: Run) -> None:
    """Wait until the container's monitor has cleaned up; do it ourselves if it cannot."""
    wait_gone(run.monitor, run.monitor_started, 20)
    reap(app, container.id, None, run.started)


def _tell_end(app: App, container: Container, signal_name: str = "TERM") -> None:
    run = app.state.runs.of(container.id)
    pid = run.pid if run else 0
    app.story.tell_process(container.scope, ("kill", f"-{signal_name}", str(pid)), f"the process of {container.name}",
                           "The process is told to end; its monitor then removes what follows.", started=False)
    for entry in departing(app.state.journal.entries(container.scope)):
        app.story.tell(entry.scope, entry.object, False)


def kill(app: App, container: Container, signum: int) -> None:
    """Send a signal to a running container's first process."""
    run = app.state.runs.of(container.id)
    if run is None or not alive(run.pid, run.pid_started):
        raise Conflict(f"cannot kill container: {container.name}: container {container.id} is not running",
                       f"start it first: minidock start {container.name}")
    if app.dry:
        return
    _kill(app, container, run, signum)
    if signum == signal.SIGKILL:
        wait_gone(run.pid, run.pid_started, 10)
        settle(app, container, run)


def signal_number(text: str) -> int:
    """KILL, SIGKILL or 9."""
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    if text.isdigit() and 0 < int(text) < signal.NSIG:
        return int(text)
    if name in signal.Signals.__members__:
        return int(signal.Signals[name])
    raise BadRequest(f"invalid signal: {text}", "a name or a number: minidock kill -s TERM NAME")


def remove(app: App, container: Container, force: bool) -> None:
    """Remove a container; a running one only by force."""
    run = app.state.runs.of(container.id)
    if run and not force:
        raise Conflict(f"cannot remove container \"{container.name}\": container is running: stop the container"
                       " before removing or force remove", f"minidock stop {container.name}, or:"
                       f" minidock rm -f {container.name}")
    if run:
        _tell_end(app, container, "KILL")
    if app.dry:
        return
    if run:
        _kill(app, container, run, signal.SIGKILL)
        wait_gone(run.pid, run.pid_started, 10)
        settle(app, container, run)
    with app.state.container_lock(container.id):
        if app.state.runs.of(container.id):
            raise Conflict(f"cannot remove container \"{container.name}\": somebody started it meanwhile",
                           f"minidock rm -f {container.name}")
        known = app.state.containers.get(container.id)  # --rm may have been faster
        forget(app, container)
        if known:
            events.container(app, "destroy", container)


def wait(app: App, container: Container) -> int:
    """Wait until a container ends; its exit code."""
    run = app.state.runs.of(container.id)
    if run is None:
        end = app.state.containers.end_of(container)
        return end.exit_code if end else 0
    with open(f"{app.state.directory(container)}/status") as status:
        wait_gone(run.pid, run.pid_started, None)
        wait_gone(run.monitor, run.monitor_started, 20)
        text = status.read()
    if text:
        return int(text)
    end = app.state.containers.end_of(container)
    return end.exit_code if end else _KILLED


def logs_path(app: App, container: Container) -> str:
    """Where the container's output is kept."""
    return os.path.join(app.state.directory(container), "log")
