"""Values as Go prints them, and the functions of Docker's templates (docker/cli templates/templates.go).

In Docker's data a struct lacks no field, while a map may lack a key. JSON shows no difference, so `MAPS` names
the maps.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise
from typing import Any

MAPS = frozenset("""AuxiliaryAddresses Containers DriverOpts ExposedPorts Labels Networks Options PortBindings Ports
                    Services Subnets Sysctls Volumes""".split())
_POINTERS = frozenset({"Health", "IPAMConfig"})  # null here is no empty list


class Map(dict[str, Any]):
    """A Go map; a plain dict is a struct."""


class Null:
    """A null of JSON that Go knows to be an empty list or map: prints so, has no length, is null in JSON again."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __len__(self) -> int:
        return 0


NO_VALUE = Null("<no value>")
NULL_LIST, NULL_MAP = Null("[]"), Null("map[]")


def typed(name: str, value: Any) -> Any:
    """What JSON does not say: that an object is a map, that a null is an empty list or map."""
    if value is None and name not in _POINTERS:
        return NULL_MAP if name in MAPS else NULL_LIST
    return Map(value) if name in MAPS and isinstance(value, dict) else value


def shown(value: Any) -> str:
    """A value as fmt.Print writes it: true, [x y], map[a:b], {fields of a struct}."""
    if isinstance(value, Null):
        return value.text
    if isinstance(value, Map):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, Mapping):
        return "{" + " ".join(map(shown, value.values())) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def as_json(value: Any) -> str:
    """JSON as docker/cli writes it: compact, nothing escaped for HTML; methods of a row are left out."""
    if isinstance(value, Mapping):
        value = {key: item for key, item in value.items() if not callable(item)}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda _: None)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "" if all(isinstance(item, str) for item in value.values()) else NULL_LIST)
        elif value is NULL_MAP:
            value = ""
        elif isinstance(value, Null):
            raise ValueError("index of untyped nil")
        elif not isinstance(key, int):
            raise ValueError(f"cannot index slice/array with type {type(key).__name__}")
        elif not 0 <= key < len(value):
            raise ValueError(f"index out of range: {key}")
        else:
            value = value[key]
    return value


def _join(items: Any, separator: str) -> str:
    if isinstance(items, str | Mapping):
        kind = "string" if isinstance(items, str) else "map"
        raise ValueError(f"wrong type for value; expected []string; got {kind}")
    return separator.join([] if isinstance(items, Null) else [shown(item) for item in items])


def _length(value: Any) -> int:
    if not hasattr(value, "__len__"):
        raise ValueError(f"len of type {type(value).__name__}")
    return len(value.encode()) if isinstance(value, str) else len(value)


def _print(*values: Any) -> str:
    """fmt.Sprint: a blank only between two values of which neither is a string."""
    parts = [shown(value) for value in values[:1]]
    for before, value in pairwise(values):
        parts.append(shown(value) if isinstance(before, str) or isinstance(value, str) else " " + shown(value))
    return "".join(parts)


def _printf(form: str, *values: Any) -> str:
    """fmt.Sprintf with the verbs people use: %s %v %q %d %t %x, with width and precision."""
    plain = tuple(value if isinstance(value, int) and not isinstance(value, bool) else shown(value) for value in values)
    quoted = iter(re.findall(r"%[-+ 0-9.]*([a-z%])", form))
    verbs = [verb for verb in quoted if verb != "%"]
    given = tuple(json.dumps(item, ensure_ascii=False) if verb == "q" else item
                  for verb, item in zip(verbs, plain, strict=True))
    return re.sub(r"(%[-+ 0-9.]*)[vqt]", r"\1s", form) % given


def _equal(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": as_json, "split": str.split, "join": _join, "lower": str.lower, "upper": str.upper,
    "title": lambda text: re.sub(r"(?<!\w)\w", lambda letter: letter[0].upper(), text),
    "pad": lambda text, before, after: text and " " * before + text + " " * after,
    "truncate": lambda text, length: text[:length],
    "index": _index, "len": _length, "print": _print, "printf": _printf,
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "not": operator.not_, "and": lambda *values: reduce(lambda one, two: one and two, values),
    "or": lambda *values: reduce(lambda one, two: one or two, values),
    "eq": _equal, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}

# Over the heads of a table these leave the words as they are.
HEAD_FUNCTIONS = {**FUNCTIONS, **dict.fromkeys(("json", "split", "join", "title", "lower", "upper", "truncate"),
                                               lambda word, *_: word)}
