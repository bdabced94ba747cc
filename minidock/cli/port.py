"""`minidock port`: where a container's ports are published; `port add` and `port rm` change that while it runs."""

from __future__ import annotations

import click

from minidock.app.context import App
from minidock.cli import completing
from minidock.cli.common import as_json, opened, tell, telling
from minidock.errors import BadRequest
from minidock.model.container import Container


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[add|rm] CONTAINER [PORT...]",
                shell_complete=completing.running)
@click.option("--who", is_flag=True, help="Tell who reaches them, computed from all rules the kernel holds.")
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table",
              help="Of --who: table, or json (one object a line).")
@telling
def port(words: tuple[str, ...], who: bool, format_: str, explain: bool, dry_run: bool, script: str | None) -> None:
    """List a container's published ports, say where one of them is, or publish more or fewer while it runs.

    With --who: for each port, whether this host, its neighbours, containers of other networks and of its own, and the
    container itself reach it, and which rule stops those who do not.

    \b
    Examples:
      minidock port web
      minidock port web 80
      minidock port web 53/udp
      minidock port web --who
      minidock port add web 8443:443 127.0.0.1:9090:90
      minidock port rm web 443
    """
    verb = words[0] if words[0] in ("add", "rm") and len(words) > 2 else ""
    with opened(dry_run) as app:
        container = app.state.containers.find(words[1] if verb else words[0])
        if verb:
            _change(app, container, verb, words[2:])
            tell(app, f"port {' '.join(words)}", explain, script)
        elif who or format_ == "json":
            _tell_who(app, container, words, format_)
        else:
            _show(app, container, words)


def _change(app: App, container: Container, verb: str, words: tuple[str, ...]) -> None:
    from minidock.app import live_ports

    (live_ports.add if verb == "add" else live_ports.remove)(app, container, words)


def _show(app: App, container: Container, words: tuple[str, ...]) -> None:
    from minidock.app import looking
    from minidock.views import ports as view

    _check(words)
    bindings = looking.ports(app, container, app.state.runs.of(container.id)) or ()
    for line in view.public(bindings, words[1], words[0]) if len(words) == 2 else view.lines(bindings):
        click.echo(line)


def _tell_who(app: App, container: Container, words: tuple[str, ...], form: str) -> None:
    from minidock.app import reaching
    from minidock.views import ports as ports_view
    from minidock.views import reach as view

    _check(words)
    found = reaching.of(app, container)
    if len(words) == 2:
        ports_view.public([one.binding for one in found], words[1], words[0])
        found = tuple(one for one in found if view.is_of(one, words[1]))
    text = as_json(view.objects(found)) if form == "json" else view.whole(found)
    if text:
        click.echo(text)


def _check(words: tuple[str, ...]) -> None:
    if len(words) > 2:
        raise BadRequest(f"'minidock port' takes a container and one port, not {len(words) - 1}",
                         f"see all of them: minidock port {words[0]}")
