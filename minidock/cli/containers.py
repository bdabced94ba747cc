"""The commands for containers that exist: start, stop, restart, kill, rm, wait, rename."""

from __future__ import annotations

from collections.abc import Callable

import click

from minidock.app import containers, ending, events, holding, starting
from minidock.app.context import App
from minidock.cli import completing
from minidock.cli.common import each, opened, tell, telling
from minidock.model.container import Container

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def _names(offered: Callable[[click.Context, click.Parameter, str], list[str]]) -> Callable[..., Any]:
    """Containers, of which the shell offers some."""
    return click.argument("names", nargs=-1, required=True, metavar="CONTAINER...", shell_complete=offered)


def _grace(ctx: click.Context, param: click.Parameter, value: float) -> float | None:
    """Seconds until SIGKILL; as in Docker, -1 waits for ever (None)."""
    if value == -1:
        return None
    if not 0 <= value <= 1e9:  # also false for nan
        raise click.BadParameter(f"{value:g}: a number of seconds, or -1 to wait for ever", ctx, param)
    return value


_grace_option = click.option("-t", "--time", "grace_seconds", type=float, default=10, show_default=True,
                             metavar="SECONDS", callback=_grace, help="Wait so long before SIGKILL; -1: for ever.")


def _find(app: App, name: str) -> Container:
    return app.state.containers.find(name)


@click.command()
@_names(completing.stopped)
@click.option("-a", "--attach", is_flag=True, help="Show its output and wait for its end.")
@click.option("-i", "--interactive", is_flag=True, help="Pass our standard input on (with -a).")
@telling
def start(names: tuple[str, ...], attach: bool, interactive: bool, explain: bool, dry_run: bool,
          script: str | None) -> int:
    """Start stopped containers.

    \b
    Examples:
      minidock start web
      minidock start -a web
    """
    with opened(dry_run, lingering=True) as app:
        if attach and not dry_run:
            from minidock.cli.running import serve

            container = _find(app, names[0])
            how = holding.Attached()
            starting.start(app, container, how, fresh=False)
            _warn(app, container)
            return serve(app, container, how, interactive)
        code = each(names, lambda name: _start(app, name))
        tell(app, f"start {' '.join(names)}", explain, script)
    return code


def _start(app: App, name: str) -> str | None:
    container = _find(app, name)
    if app.state.runs.of(container.id) is None:  # started already: Docker says nothing either
        starting.start(app, container, holding.Detached(), fresh=False)
        _warn(app, container)
    return None if app.dry else name


def _warn(app: App, container: Container) -> None:
    """What `run` would have told about its ports."""
    if container.ports or container.publish_all:
        from minidock.cli import running

        running.warn(app, container)


@click.command()
@_names(completing.running)
@_grace_option
@telling
def stop(names: tuple[str, ...], grace_seconds: float | None, explain: bool, dry_run: bool, script: str | None) -> int:
    """Stop running containers: SIGTERM, after some time SIGKILL.

    \b
    Examples:
      minidock stop web
      minidock stop -t 1 web db
    """
    with opened(dry_run, lingering=True) as app:
        def act(name: str) -> str | None:
            ending.stop(app, _find(app, name), grace_seconds)
            return None if dry_run else name

        code = each(names, act)
        tell(app, f"stop {' '.join(names)}", explain, script)
    return code


@click.command()
@_names(completing.containers)
@_grace_option
@telling
def restart(names: tuple[str, ...], grace_seconds: float | None, explain: bool, dry_run: bool,
            script: str | None) -> int:
    """Stop containers and start them again.

    \b
    Examples:
      minidock restart web
    """
    with opened(dry_run, lingering=True) as app:
        def act(name: str) -> str | None:
            _restart(app, _find(app, name), grace_seconds)
            return None if dry_run else name

        code = each(names, act)
        tell(app, f"restart {' '.join(names)}", explain, script)
    return code


def _restart(app: App, container: Container, grace_seconds: float | None) -> None:
    """Stop and start; a container that is to be removed at its end survives this one."""
    if container.auto_remove:
        _auto_remove(app, container, False)
    ending.stop(app, container, grace_seconds)
    now = app.state.containers.find(container.id)  # stopping takes its time; others may have changed it
    starting.start(app, now.but(auto_remove=False), holding.Detached(), fresh=False)
    if container.auto_remove:
        _auto_remove(app, container, True)
    events.container(app, "restart", container)


def _auto_remove(app: App, container: Container, wanted: bool) -> None:
    if not app.dry:
        with app.state.container_lock(container.id):
            app.state.containers.change(app.state.containers.find(container.id).but(auto_remove=wanted))


@click.command()
@_names(completing.running)
@click.option("-s", "--signal", "signal_", default="KILL", show_default=True, help="Name or number.")
@telling
def kill(names: tuple[str, ...], signal_: str, explain: bool, dry_run: bool, script: str | None) -> int:
    """Send a signal to running containers.

    \b
    Examples:
      minidock kill web
      minidock kill -s HUP web
    """
    number = ending.signal_number(signal_)
    with opened(dry_run, lingering=True) as app:
        def act(name: str) -> str | None:
            ending.kill(app, _find(app, name), number)
            return None if dry_run else name

        code = each(names, act)
        tell(app, f"kill {' '.join(names)}", explain, script)
    return code


@click.command()
@_names(completing.containers)
@click.option("-f", "--force", is_flag=True, help="Kill it first if it runs.")
@telling
def rm(names: tuple[str, ...], force: bool, explain: bool, dry_run: bool, script: str | None) -> int:
    """Remove containers.

    \b
    Examples:
      minidock rm web
      minidock rm -f $(minidock ps -aq)
    """
    with opened(dry_run, lingering=True) as app:
        def act(name: str) -> str | None:
            ending.remove(app, _find(app, name), force)
            return None if dry_run else name

        code = each(names, act)
        tell(app, f"rm {' '.join(names)}", explain, script)
    return code


@click.command()
@_names(completing.running)
def wait(names: tuple[str, ...]) -> int:
    """Wait until containers end; prints their exit codes.

    \b
    Examples:
      minidock wait web
    """
    with opened() as app:
        return each(names, lambda name: str(ending.wait(app, _find(app, name))))


@click.command()
@click.argument("old", metavar="CONTAINER", shell_complete=completing.containers)
@click.argument("new", metavar="NEW_NAME")
@telling
def rename(old: str, new: str, explain: bool, dry_run: bool, script: str | None) -> None:
    """Give a container another name.

    \b
    Examples:
      minidock rename web old-web
    """
    with opened(dry_run) as app:
        containers.rename(app, old, new)
        tell(app, f"rename {old} to {new} · no kernel object changes", explain, script)
