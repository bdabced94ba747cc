"""What the commands share: opening minidock, --explain, --dry-run and --script, several names at once."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable

import click

from minidock.cli.session import opened, pairs, tell
from minidock.errors import MinidockError

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def telling(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that changes something."""
    for option in (
        click.option("--script", metavar="FILE", help="Write what is done as a shell script (- for standard output)."),
        click.option("--dry-run", is_flag=True, help="Do nothing; print what would be done, and why."),
        click.option("--explain", is_flag=True, help="Do it, and print every step with its reason."),
    ):
        command = option(command)
    return command


def each(names: Iterable[str], act: Callable[[str], str | None]) -> int:
    """Do something to each name, print what it returns; errors are told and the others still done."""
    code = 0
    for name in names:
        try:
            printed = act(name)
            if printed is not None:
                click.echo(printed)
        except MinidockError as error:
            from minidock.cli.main import report

            code = report(error)
    return code


def gather(names: Iterable[str], look: Callable[[str], Any]) -> tuple[list[Any], int]:
    """Look at each name; what cannot be found is told, the others are still shown."""
    found: list[Any] = []

    def act(name: str) -> None:
        found.append(look(name))

    code = each(names, act)
    return found, code


def as_json(rows: Iterable[dict[str, Any]]) -> str:
    """One JSON object a line, as Docker's --format json."""
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def inspected(found: list[Any], form: str) -> str:
    """What `inspect` prints: an indented array, or what --format asks for."""
    if not form:
        return json.dumps(found, indent=4, ensure_ascii=False)
    from minidock.views.listing import inspected as formatted

    return formatted(form, found)


def confirmed(what: str, warning: str) -> None:
    """Ask before `what` is done: only y goes on, as in Docker; no answer at all is no."""
    print(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "y":
        raise MinidockError(f"{what} has been cancelled", f"it asks for y; without asking: minidock {_typed(what)} -f")


def _typed(what: str) -> str:
    return what.replace("network", "net")


def check_format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """--format table, json, or a template."""
    if value not in ("table", "json") and "{{" not in value:
        raise click.BadParameter(f"{value}: the formats are table, json, and templates such as '{{{{.Name}}}}'")
    return value


def check_format_or_raw(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """For lists that Docker also shows raw: a field a line."""
    return value if value == "raw" else check_format(ctx, param, value)


__all__ = ["as_json", "check_format_or_raw", "confirmed", "each", "filter_option", "format_option", "gather",
           "inspected", "opened", "pairs", "tell", "telling"]

format_option = functools.partial(click.option, "--format", "format_", default="table", callback=check_format,
                                  metavar="FORMAT", help="table (default), json (one object a line), or a template"
                                  " such as '{{.Name}}' or 'table {{.ID}}\\t{{.Name}}'.")
filter_option = functools.partial(click.option, "-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE")

