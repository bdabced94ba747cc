"""`--filter key=value` of `net ls`, `net prune`, `ps` and `events`, with Docker's rules of what is AND and what is OR.

Different keys must all match. Of several values of one key one must match; of `label` all must.
Source: docker-behaviour.md §1.2, §1.7; moby daemon/internal/filters, daemon/network/filter.go, daemon/list.go,
daemon/events/filter.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from minidock.errors import BadRequest
from minidock.model.container import Container
from minidock.model.network import PREDEFINED, Network

Filters: TypeAlias = Mapping[str, tuple[str, ...]]

NETWORK_KEYS = ("dangling", "driver", "id", "label", "name", "scope", "type")
PRUNE_KEYS = ("label", "label!", "until")
CONTAINER_KEYS = ("exited", "id", "label", "name", "network", "status")
EVENT_KEYS = ("container", "event", "label", "network", "scope", "type")
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_DANGLING = {"1": True, "true": True, "0": False, "false": False}


def of_networks(texts: Iterable[str]) -> Filters:
    """The filters of `net ls`, checked."""
    filters = _parsed(texts, NETWORK_KEYS)
    for kind in filters.get("type", ()):
        if kind not in ("builtin", "custom"):
            raise BadRequest(f"invalid filter: 'type'='{kind}'", "the types are builtin and custom")
    dangling = filters.get("dangling", ())
    if len(dangling) > 1:
        raise BadRequest('got more than one value for filter key "dangling"', "give one: -f dangling=true")
    if not set(dangling) <= _DANGLING.keys():
        raise BadRequest("""invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")""",
                         "unused networks: -f dangling=true")
    return filters


def of_prune(texts: Iterable[str], now: datetime) -> Filters:
    """The filters of `net prune`, checked."""
    filters = _parsed(texts, PRUNE_KEYS)
    moments = filters.get("until", ())
    if len(moments) > 1:
        raise BadRequest("more than one until filter specified", "give one: --filter until=24h")
    for moment in moments:
        until(moment, now)
    return filters


def of_containers(texts: Iterable[str]) -> Filters:
    """The filters of `ps`, checked. One of `status` means stopped containers too (`--all`)."""
    filters = _parsed(texts, CONTAINER_KEYS)
    for state in filters.get("status", ()):
        if state not in STATES:
            raise BadRequest(f"invalid value for state ({state}): must be one of {', '.join(STATES)}",
                             "stopped containers: -f status=exited")
    for code in filters.get("exited", ()):
        if not re.fullmatch(r"[-+]?[0-9]+", code):
            raise BadRequest(f"invalid filter 'exited={code}'", "an exit code: -a -f exited=137")
    return filters


def of_events(texts: Iterable[str]) -> Filters:
    """The filters of `events`. Docker takes any value of these, and finds nothing by an unknown one."""
    return _parsed(texts, EVENT_KEYS)


def _parsed(texts: Iterable[str], known: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in filter(None, texts):
        key, equals, value = text.partition("=")
        if not equals:
            raise BadRequest(f'invalid argument "{text}" for "-f, --filter" flag: bad format of filter (expected'
                             " name=value)", f"the filters are {', '.join(known)}, as -f name=web")
        key = key.strip().lower()
        if key not in known:
            raise BadRequest(f"invalid filter '{key}'", f"the filters are {', '.join(known)}")
        found[key] = (*found.get(key, ()), value.strip())
    return found


def network_passes(filters: Filters, network: Network, used: bool, scope: str = "local") -> bool:
    """Does `net ls` show it? `used`: somebody is attached."""
    predefined = network.name in PREDEFINED
    kind = "builtin" if predefined else "custom"
    dangling = not predefined and not used
    return (_is(filters, "driver", network.driver) and _is(filters, "scope", scope)
            and _is(filters, "type", kind) and _like(filters, "name", network.name)
            and _like(filters, "id", network.id) and _labelled(filters, "label", network.labels)
            and all(_DANGLING[value] == dangling for value in filters.get("dangling", ())))


def network_prunable(filters: Filters, network: Network, now: datetime) -> bool:
    """May `net prune` remove it, as far as its filters say? Excluded is what has all labels of `label!`."""
    created = datetime.fromisoformat(network.created)
    return (_labelled(filters, "label", network.labels)
            and not ("label!" in filters and _labelled(filters, "label!", network.labels))
            and all(created <= until(value, now) for value in filters.get("until", ())))


def container_passes(filters: Filters, container: Container, state: str, exit_code: int,
                     networks: Iterable[tuple[str, str]]) -> bool:
    """Does `ps` show it? `networks` are the (name, id) of those it is attached to or configured for."""
    names = (container.name, f"/{container.name}")  # Docker's names begin with a slash: ^/web$ is a usual filter
    asked = filters.get("network")
    return (any(_like(filters, "name", name) for name in names) and _like(filters, "id", container.id)
            and _is(filters, "status", state) and _labelled(filters, "label", container.labels)
            and ("exited" not in filters or (state == "exited" and exit_code in map(int, filters["exited"])))
            and (asked is None or any(value == name or key.startswith(value)
                                      for name, key in networks for value in asked)))


def event_passes(filters: Filters, event: Mapping[str, Any]) -> bool:
    """Does `events` show it? `container` and `network` are beginnings of the actor's id or name, whatever its type."""
    attributes, action = event["Actor"]["Attributes"], event["Action"]
    names = (event["Actor"]["ID"], attributes.get("name", ""))
    whole = not {"exec_create", "exec_start", "health_status"} & set(filters.get("event", ()))  # `exec_start: COMMAND`
    return (_is(filters, "type", event["Type"]) and _is(filters, "scope", event["scope"])
            and (_is(filters, "event", action) if whole else _begins(filters, "event", (action,)))
            and _begins(filters, "container", names) and _begins(filters, "network", names)
            and _labelled(filters, "label", attributes.items()))


def _begins(filters: Filters, key: str, texts: Iterable[str]) -> bool:
    return key not in filters or any(text.startswith(filters[key]) for text in texts)


def _is(filters: Filters, key: str, value: str) -> bool:
    return key not in filters or value in filters[key]


def _like(filters: Filters, key: str, value: str) -> bool:
    """Equal to one of the values, or found by one as a regular expression; a broken expression finds nothing."""
    return _is(filters, key, value) or any(_found(pattern, value) for pattern in filters[key])


def _found(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return False


def _labelled(filters: Filters, key: str, labels: Iterable[tuple[str, str]]) -> bool:
    """Has it all the labels asked for, `k` with any value or `k=v`?"""
    has = dict(labels)
    pairs = [value.partition("=") for value in filters.get(key, ())]
    return all(name in has and (not equals or has[name] == value) for name, equals, value in pairs)


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPAN = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s|us|µs|ns)")


def until(text: str, now: datetime) -> datetime:
    """The moment of an `until` filter."""
    try:
        return moment(text, now)
    except ValueError as error:
        raise BadRequest(f"invalid value for 'until' filter: {error}",
                         "as until=24h, until=2025-01-31, until=2025-01-31T12:00:00Z or until=1738324800") from error


def moment(text: str, now: datetime) -> datetime:
    """The moment a text means: so long ago (`1h30m`), a date and time (RFC 3339 or a part of it), seconds since 1970.

    A time without a zone is in that of `now`; ValueError if it means none. Source: moby api/types/time/timestamp.go.
    """
    try:
        if re.fullmatch(rf"[-+]?({_SPAN.pattern})+", text):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))
            return now - timedelta(seconds=-seconds if text[0] == "-" else seconds)
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)", text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError(f'failed to parse value as time or duration: "{text}"')
