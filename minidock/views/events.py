"""One event as a line, as JSON or through a template (docker/cli cli/command/system/events.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from minidock.views.go import Map, as_json
from minidock.views.template import Template

_NOTHING = {"Type": "", "Action": "", "Actor": {"ID": "", "Attributes": {}}, "scope": "", "time": 0, "timeNano": 0}


def shown(form: str) -> Callable[[Mapping[str, Any]], str]:
    """How `--format` wants each event; a template that cannot be rendered is refused at once."""
    if form == "json":
        return lambda event: as_json(as_object(event))
    if not form:
        return line
    template = Template(form, kind="*events.Message")
    template.render(as_object(_NOTHING))
    return lambda event: template.render(as_object(event))


def as_object(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event for templates: they call `.Scope`, `.Time` and `.TimeNano` what JSON begins with small letters."""
    actor = event["Actor"]
    return {**event, "Actor": {**actor, "Attributes": Map(actor["Attributes"])},
            "Scope": lambda: event["scope"], "Time": lambda: event["time"], "TimeNano": lambda: event["timeNano"]}


def line(event: Mapping[str, Any]) -> str:
    """2026-01-02T15:04:05.000000000+01:00 network connect ID (container=…, name=br0, type=bridge)."""
    actor = event["Actor"]
    words = (moment(event["timeNano"]), event["Type"], event["Action"], actor["ID"])
    told = ", ".join(f"{key}={value}" for key, value in sorted(actor["Attributes"].items()))
    return " ".join(words) + (f" ({told})" if told else "")


def moment(nanoseconds: int) -> str:
    """RFC 3339 with all nine digits, in local time."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    zone = local.isoformat()[19:]
    return f"{local:%Y-%m-%dT%H:%M:%S}.{rest:09d}{'Z' if zone == '+00:00' else zone}"
