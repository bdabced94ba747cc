"""`minidock run` and `minidock create` for click, in the words of `docker run`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from minidock.app import containers
from minidock.cli import completing, running
from minidock.cli.common import opened, tell, telling
from minidock.cli.plain import FLAG, MANY, Option
from minidock.errors import BadRequest

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_FREE = {"allow_interspersed_args": False, "help_option_names": ["--help"]}


def _option(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    if option.kind == FLAG:
        return click.option(*option.flags, option.name, is_flag=True, help=option.help)
    return click.option(*option.flags, option.name, multiple=option.kind == MANY, metavar=option.metavar or None,
                        default=None if option.kind == MANY else option.default, help=option.help,
                        show_default=bool(option.default),
                        shell_complete=completing.modes if option.name == "networks" else None)


def _configuring(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that configure a container, and the command to run."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        if not given["argv"]:
            raise BadRequest(f"'minidock {command.__name__}' requires at least 1 argument: the command",
                             f"for example: minidock {command.__name__} --net br0 ip addr")
        told = {name: given.pop(name) for name in ("explain", "dry_run", "script")}
        return command(given, **told)

    decorated: Callable[..., Any] = click.argument("argv", nargs=-1, type=click.UNPROCESSED,
                                                   metavar="COMMAND [ARG...]")(gathered)
    for option in reversed(running.CONFIGURING):
        decorated = _option(option)(decorated)
    return telling(decorated)


@click.command(context_settings=_FREE)
@_option(running.DETACH)
@_configuring
def run(given: dict[str, Any], explain: bool, dry_run: bool, script: str | None) -> int:
    """Start a container: COMMAND with a network stack of its own.

    The file system is the HOST'S OWN, shared and writable: what the command deletes is gone. --rootfs DIR gives
    it another one. There are no images.

    \b
    Examples:
      minidock run --rm --net br0 ping -c1 172.28.0.1
      minidock run -d --name web --init --net br0 python3 -m http.server 80
      minidock run --rm -it --net br0 bash
      minidock run --rm --net br0 --dry-run ip addr
    """
    return running.run(given, explain, dry_run, script)


@click.command(context_settings=_FREE)
@_configuring
def create(given: dict[str, Any], explain: bool, dry_run: bool, script: str | None) -> None:
    """Configure a container and print its id; `minidock start` starts it.

    The file system is the HOST'S OWN, shared and writable, unless --rootfs gives another one.

    \b
    Examples:
      minidock create --name web --net br0 python3 -m http.server 80
      minidock create --name quiet --net none sleep 60
    """
    with opened(dry_run) as app:
        container = containers.create(app, running.wanted_of(given))
        running.warn(app, container)
        if not dry_run:
            click.echo(container.id)
        tell(app, f"create {container.name} · nothing is made before it is started", explain, script)
