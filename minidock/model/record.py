"""Immutable records: what dataclasses give, at a fiftieth of their price at import.

`@dataclass(frozen=True, slots=True)` compiles its methods when the class is defined, 0.45 ms each; minidock has
dozens of records and starts dozens of times a minute. Here the metaclass turns annotations into slots and the base
class brings generic methods, so that defining one costs 0.02 ms.
"""

from __future__ import annotations

from collections.abc import Iterator

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform
else:
    def dataclass_transform(**_):
        """What only type checkers read (PEP 681)."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True, eq_default=True)
class RecordType(type):
    """Makes `__slots__` of the annotations and remembers the defaults."""

    fields: tuple[str, ...]
    defaults: dict[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> RecordType:
        own = tuple(field for field in space.get("__annotations__", ()) if not field.startswith("_"))
        defaults = {field: space.pop(field) for field in own if field in space}
        space["__slots__"] = own
        made = super().__new__(cls, name, bases, space)
        parent = next((base for base in bases if isinstance(base, RecordType)), None)
        made.fields = (*(parent.fields if parent else ()), *own)
        made.defaults = {**(parent.defaults if parent else {}), **defaults}
        return made


class Record(metaclass=RecordType):
    """An immutable value with named, typed fields; equal to another of the same class with equal fields."""

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        given = dict(zip(cls.fields, values, strict=False))
        if len(values) > len(cls.fields) or given.keys() & named.keys() or named.keys() - set(cls.fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls.fields)}")
        given = {**cls.defaults, **given, **named}
        for field in cls.fields:
            if field not in given:
                raise TypeError(f"{cls.__name__} needs {field}")
            object.__setattr__(self, field, given[field])

    def __setattr__(self, field: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, field: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, field) for field in type(self).fields)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((type(self), *self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self)

    def __repr__(self) -> str:
        inside = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self).fields)
        return f"{type(self).__name__}({inside})"

    def but(self, **changes: Any) -> Self:
        """The same record with some fields changed."""
        return type(self)(**{**{field: getattr(self, field) for field in type(self).fields}, **changes})
