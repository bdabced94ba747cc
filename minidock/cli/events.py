"""`minidock events`: what happens to networks and containers, as it happens."""

from __future__ import annotations

import time
from datetime import datetime

import click

from minidock.cli.common import filter_option, opened
from minidock.errors import BadRequest

_LOOK_SECONDS = 0.1


@click.command()
@click.option("--since", default="", metavar="TIME", help="Begin with those of that time: 10m (ago), a date and time"
              " (RFC 3339), or seconds since 1970.")
@click.option("--until", default="", metavar="TIME", help="End with those of that time.")
@filter_option(help="type (network, container), event, network, container, label, scope.")
@click.option("--format", "form", default="", metavar="FORMAT",
              help="json, or a template: '{{.Action}} {{.Actor.ID}}'.")
def events(since: str, until: str, filters: tuple[str, ...], form: str) -> None:
    """Show what happens to networks and containers, as it happens, until Ctrl-C.

    \b
    Examples:
      minidock events
      minidock events --since 10m --until 0s
      minidock events -f type=network -f event=connect --format '{{.Actor.Attributes.name}}'
    """
    from minidock.store.events import Reader
    from minidock.views import events as view
    from minidock.views import filters as sieve

    first, last = _span(since, until)
    wanted, show = sieve.of_events(filters), view.shown(form)
    with opened() as app:
        reader = Reader(app.state.run, history=bool(since or until))
    over = False
    while not over:
        over = time.time() > last  # before the look, so that nothing is missed between the two
        for event in reader.news():
            if first <= event["timeNano"] // 1000 / 1e6 <= last and sieve.event_passes(wanted, event):
                click.echo(show(event))
        if not over:
            time.sleep(max(0.0, min(_LOOK_SECONDS, last - time.time())))


def _span(since: str, until: str) -> tuple[float, float]:
    """Both ends in seconds since 1970, to the microsecond."""
    first, last = _seconds(since, 0), _seconds(until, float("inf"))
    if last < first:
        raise BadRequest(f"`since` time ({since}) cannot be after `until` time ({until})",
                         "the earlier one first: --since 10m --until 5m")
    return first, last


def _seconds(text: str, default: float) -> float:
    from minidock.views.filters import moment

    try:
        return moment(text, datetime.now().astimezone()).timestamp() if text else default
    except ValueError as error:
        raise BadRequest(str(error), "as 10m (ago), 2025-01-31T12:00:00Z or 1738324800") from error
