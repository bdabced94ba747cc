"""`minidock dns`: what a container's embedded name server says, and why."""

from __future__ import annotations

import sys

import click

from minidock.cli import completing
from minidock.cli.common import opened
from minidock.cli.usage import Commands
from minidock.errors import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minidock.dns.tables import Resolver, Tables


@click.group(cls=Commands)
def dns() -> None:
    """Ask a container's name server, and follow its decisions.

    \b
    Examples:
      minidock dns query web db
      minidock dns trace web www.example.org
    """


_type = click.option("-t", "--type", "kind", default="A", show_default=True, metavar="TYPE",
                     help="A, AAAA, PTR, MX, TXT, … or a number.")


@dns.command()
@click.argument("container", metavar="CONTAINER", shell_complete=completing.running)
@click.argument("name", metavar="NAME")
@_type
def query(container: str, name: str, kind: str) -> int:
    """Ask the server of a running container; prints the answers, one a line.

    An address is asked backwards (PTR). Fails with 1 if there is no answer.

    \b
    Examples:
      minidock dns query web db
      minidock dns query web db --type AAAA
      minidock dns query web 172.28.0.3
    """
    from minidock.dns import trace

    _, row = _resolver(container)
    answer = trace.query(row, *_question(name, kind))
    values = [value for _, _, value in trace.records(answer)] if answer else []
    click.echo("\n".join(values), nl=bool(values))
    if not values:
        print(f"minidock: {name}: {trace.told(answer) if answer else 'no answer'}", file=sys.stderr)
    return 0 if values else 1


@dns.command()
@click.argument("container", metavar="CONTAINER", shell_complete=completing.running)
@click.argument("name", metavar="NAME")
@_type
def trace(container: str, name: str, kind: str) -> None:
    """Print every decision on the way to an answer: scope, network, upstream, namespace, time.

    \b
    Examples:
      minidock dns trace web db
      minidock dns trace web www.example.org --type AAAA
    """
    from minidock.dns import trace as tracing

    found, row = _resolver(container)
    for line in tracing.trace(found, row, *_question(name, kind)):
        click.echo(line)


def _resolver(container: str) -> tuple[Tables, Resolver]:
    from minidock.dns import tables, trace

    with opened() as app:
        known = app.state.containers.find(container)
        found = tables.read(app.state.run)
    return found, trace.resolver(found, known.id, known.name)


def _question(name: str, kind: str) -> tuple[str, int]:
    """What to ask; an address is turned round."""
    from ipaddress import ip_address

    from minidock.dns import wire

    try:
        return ip_address(name).reverse_pointer, wire.KINDS["PTR"]
    except ValueError:
        pass
    number = wire.KINDS.get(kind.upper(), int(kind) if kind.isascii() and kind.isdigit() else 65536)
    if number > 65535:
        raise BadRequest(f"{kind} is not a type of question", "use one of: " + ", ".join(wire.KINDS))
    try:
        wire.name_bytes(name)
    except ValueError as error:
        raise BadRequest(str(error), "labels of 1 to 63 bytes between dots, 253 in all") from error
    return name, number
