"""Use case: run another command inside a running container."""

from __future__ import annotations

import os

from minidock.app import events
from minidock.app.containers import exec_hint
from minidock.app.context import App
from minidock.app.starting import process_of
from minidock.errors import CannotRun, Conflict
from minidock.model.container import Container, Run
from minidock.sandbox import enter as sandbox


def enter(app: App, container: Container, run: Run | None, argv: tuple[str, ...], env: tuple[str, ...], *, cwd: str,
          user: str, privileged: bool, tty: bool, stdin: bool, detached: bool) -> int:
    """Run it with the container's environment and ours on top; its exit code."""
    if run is None or run.state != "running":
        raise Conflict(f"container {container.name} is not running", f"start it: minidock start {container.name}")
    wanted = container.but(
        argv=argv, env=(*container.env, *env), cwd=cwd or container.cwd, user=user or container.user,
        privileged=privileged or container.privileged, tty=tty, stdin_open=stdin)
    exec_id = os.urandom(32).hex()
    try:
        code = sandbox.enter(run.pid, run.pid_started, process_of(wanted), detached,
                             lambda: events.entered(app, container, exec_id, argv))
    except CannotRun as error:
        raise CannotRun(error.what, exec_hint(error, argv), error.exit_code) from error
    if not detached:
        events.container(app, "exec_die", container, execID=exec_id, exitCode=str(code))
    return code
