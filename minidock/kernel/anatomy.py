"""What the kernel answers about a device, attribute by attribute, in the names of linux/if_link.h.

pyroute2's message classes know every attribute; they are imported here only, for they cost 100 ms.
"""

from __future__ import annotations

from minidock.kernel import rtnl
from minidock.kernel.handle import Kernel

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_NOISE = ("IFLA_STATS", "IFLA_STATS64", "IFLA_AF_SPEC", "IFLA_MAP", "IFLA_XDP")


def link(kernel: Kernel, where: str, name: str) -> list[tuple[int, str, str]]:
    """(depth, attribute, value) of an RTM_GETLINK answer, nested ones deeper; statistics left out."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    ((_, body),) = kernel.route(where).ask(rtnl.GETLINK, 0, rtnl.named_link(name))
    message = ifinfmsg(_with_header(body))
    message.decode()
    fields = [(0, field, str(message[field])) for field in ("family", "ifi_type", "index", "flags")]
    return [*fields, *_attributes(message["attrs"], 0)]


def _with_header(body: bytes) -> bytes:
    length = len(body) + 16
    return length.to_bytes(4, "little") + rtnl.NEWLINK.to_bytes(2, "little") + bytes(10) + body


def _attributes(attrs: list[Any], depth: int) -> list[tuple[int, str, str]]:
    rows = []
    for attribute in attrs:
        name, value = attribute[0], attribute[1]
        if name in _NOISE or name.startswith("UNKNOWN"):
            continue
        nested = value.get("attrs") if hasattr(value, "get") else None
        rows.append((depth, name, "" if nested else str(value)))
        rows += _attributes(nested or [], depth + 1)
    return rows
