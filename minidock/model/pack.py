"""Records to JSON-able values and back, so that the store can keep any of them.

A record becomes {"Record": name, field: value…}, an address {"ip": text}, a tuple a list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_ADDRESSES = {
    "IPv4Address": ipaddress.IPv4Address, "IPv6Address": ipaddress.IPv6Address,
    "IPv4Network": ipaddress.IPv4Network, "IPv6Network": ipaddress.IPv6Network,
    "IPv4Interface": ipaddress.IPv4Interface, "IPv6Interface": ipaddress.IPv6Interface,
}


def pack(value: Any) -> Any:
    """A JSON-able image of a record."""
    if isinstance(value, Record):
        fields = {field: pack(getattr(value, field)) for field in type(value).fields}
        return {"Record": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [pack(item) for item in value]
    name = type(value).__name__
    return {name: str(value)} if name in _ADDRESSES else value


def unpack(image: Any, kinds: Mapping[str, type[Record]]) -> Any:
    """The record of an image; `kinds` are the classes it may hold."""
    if isinstance(image, list):
        return tuple(unpack(item, kinds) for item in image)
    if not isinstance(image, dict):
        return image
    if "Record" in image:
        fields = {field: unpack(item, kinds) for field, item in image.items() if field != "Record"}
        return kinds[image["Record"]](**fields)
    ((name, text),) = image.items()
    return _ADDRESSES[name](text)
