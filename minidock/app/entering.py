"""Use case: run another command inside a running container."""

from __future__ import annotations

from minidock.app.containers import exec_hint
from minidock.app.starting import process_of
from minidock.errors import CannotRun, Conflict
from minidock.model.container import Container, Run
from minidock.sandbox import enter as sandbox


def enter(container: Container, run: Run | None, argv: tuple[str, ...], env: tuple[str, ...], *, cwd: str, user: str,
          privileged: bool, tty: bool, stdin: bool, detached: bool) -> int:
    """Run it with the container's environment and ours on top; its exit code."""
    if run is None or run.state != "running":
        raise Conflict(f"container {container.name} is not running", f"start it: minidock start {container.name}")
    wanted = container.but(
        argv=argv, env=(*container.env, *env), cwd=cwd or container.cwd, user=user or container.user,
        privileged=privileged or container.privileged, tty=tty, stdin_open=stdin)
    try:
        return sandbox.enter(run.pid, run.pid_started, process_of(wanted), detached)
    except CannotRun as error:
        raise CannotRun(error.what, exec_hint(error, argv), error.exit_code) from error
