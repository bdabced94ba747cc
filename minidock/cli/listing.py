"""The commands that only look: ps, logs, inspect, explain."""

from __future__ import annotations

import os
import select
import sys
import time

import click

from minidock.app import ending, looking
from minidock.app.context import App
from minidock.cli import completing
from minidock.cli.common import filter_option, format_option, gather, inspected, opened
from minidock.sandbox.liveness import alive


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Also containers that do not run.")
@click.option("-q", "--quiet", is_flag=True, help="Ids only.")
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@filter_option(help="name, id, status, network, label, exited.")
@format_option()
def ps(everything: bool, quiet: bool, no_trunc: bool, filters: tuple[str, ...], format_: str) -> None:
    """List containers.

    \b
    Examples:
      minidock ps
      minidock ps -a --format json
      minidock ps -f network=br0 --format '{{.Names}}: {{.Status}}'
      minidock rm -f $(minidock ps -aq)
    """
    from minidock.views import containers as view
    from minidock.views.listing import listing

    with opened() as app:
        rows = [view.as_object(*row, time.time(), no_trunc, looking.ports(app, *row[:2]))
                for row in looking.rows(app, everything, filters)]
    text = "\n".join(row["ID"] for row in rows) if quiet else \
        listing(format_, rows, view.HEADS, view.TABLE, "*formatter.ContainerContext")
    if text:
        click.echo(text)


def _lines(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """How many lines; -1 is all, as in Docker."""
    if value.isascii() and value.isdigit():
        return int(value)
    if value in ("all", "-1"):
        return -1
    raise click.BadParameter(f"{value}: a number of lines, or all", ctx, param)


@click.command()
@click.argument("name", metavar="CONTAINER", shell_complete=completing.containers)
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", default="all", metavar="LINES", callback=_lines, help="Only the last lines.")
def logs(name: str, follow: bool, tail: int) -> None:
    """Show a container's output (standard output and standard error in one).

    \b
    Examples:
      minidock logs web
      minidock logs -f -n 10 web
    """
    with opened() as app:
        container = app.state.containers.find(name)
        path, run = ending.logs_path(app, container), app.state.runs.of(container.id)
        try:
            log = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
    _seek_tail(log, tail)
    while True:
        ended = not (follow and run and alive(run.monitor, run.monitor_started))
        while data := os.read(log, 1 << 16):
            sys.stdout.buffer.write(data)
        sys.stdout.flush()
        if ended:
            return
        select.select([], [], [], 0.05)


def _seek_tail(log: int, tail: int) -> None:
    """Go to the beginning of the last lines; a last line without its end counts too."""
    if tail < 0:
        return
    data = os.pread(log, os.fstat(log).st_size, 0)
    start = len(data) if tail == 0 else len(data) - data.endswith(b"\n")
    for _ in range(tail):
        start = data.rfind(b"\n", 0, max(start, 0))
        if start < 0:
            break
    os.lseek(log, start + 1 if tail else len(data), os.SEEK_SET)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=completing.both)
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a template: '{{.State.Pid}}'.")
@click.option("--type", "kind", type=click.Choice(["container", "network"]), default=None, help="Only of that kind.")
def inspect(names: tuple[str, ...], form: str, kind: str | None) -> int:
    """Show containers or networks as JSON, with docker's keys.

    \b
    Examples:
      minidock inspect web
      minidock inspect --type network br0
    """
    with opened() as app:
        found, code = gather(names, lambda name: looking.anything(app, name, kind or ""))
    click.echo(inspected(found, form))
    return code


@click.command()
@click.argument("name", metavar="NETWORK|CONTAINER", shell_complete=completing.both)
@click.option("--script", is_flag=True, help="As a shell script.")
@click.option("--netlink", is_flag=True, help="The devices as the kernel describes them, attribute by attribute.")
def explain(name: str, script: bool, netlink: bool) -> None:
    """Narrate what exists: every kernel object of a network or container, why, and whether it is still there.

    \b
    Examples:
      minidock explain br0
      minidock explain web --netlink
    """
    from minidock.views import explain as view

    with opened() as app:
        title, scope = looking.scope_of(app, name)
        if netlink:
            click.echo(view.anatomy(title, looking.anatomy(app, scope)))
            return
        click.echo(view.script(title, looking.steps(app, scope)) if script else _told(app, title, scope))


def _told(app: App, title: str, scope: str) -> str:
    from minidock.views import explain as view

    steps = looking.steps(app, scope)
    if not steps:
        return f"{title}: nothing of it is in the kernel now; its first use (or start) builds it"
    lost, counters = looking.lost(app, scope), looking.counters(app, scope)
    return view.inventory(title, steps, lost, counters)


