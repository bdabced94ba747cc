"""`minidock exec`: another command inside a running container."""

from __future__ import annotations

import sys

import click

from minidock.app import containers
from minidock.app.entering import enter
from minidock.cli import completing
from minidock.cli.common import opened
from minidock.errors import BadRequest


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Leave it running in the background.")
@click.option("-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Environment variables.")
@click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Read them from a file.")
@click.option("-i", "--interactive", "stdin", is_flag=True, help="Keep its standard input open.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="User name or id.")
@click.option("-w", "--workdir", "cwd", default="", metavar="DIR", help="Working directory.")
@click.option("--privileged", is_flag=True, help="All capabilities.")
@click.argument("name", metavar="CONTAINER", shell_complete=completing.running)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARG...]")
def exec_(name: str, argv: tuple[str, ...], env: tuple[str, ...], env_files: tuple[str, ...], detach: bool,
          stdin: bool, tty: bool, user: str, cwd: str, privileged: bool) -> int:
    """Run another command inside a running container.

    \b
    Examples:
      minidock exec web ip addr
      minidock exec -it web bash
    """
    if tty and stdin and not sys.stdin.isatty():
        raise BadRequest("the input device is not a TTY", "leave out -t when input comes from a pipe or file")
    containers.check_directory(cwd)
    words = containers.environment([*(word for path in env_files for word in containers.env_from_file(path)), *env])
    with opened() as app:
        container = app.state.containers.find(name)
        run = app.state.runs.of(container.id)
    return enter(app, container, run, argv, words, cwd=cwd, user=user, privileged=privileged, tty=tty, stdin=stdin,
                 detached=detach)
