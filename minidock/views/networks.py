"""`net ls`: Docker's fields and columns."""

from __future__ import annotations

import re
from typing import Any

from minidock.model.network import Network

TABLE = r"table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"
HEADS = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
         "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT"}
RAW = r"network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n"
RAW_QUIET = "network_id: {{.ID}}"


def natural(net: Network) -> tuple[list[tuple[int, int]], str]:
    """A key to sort by as Docker does: net2 before net10, everything else by its bytes."""
    parts = re.findall(r"[0-9]+|.", net.name, re.DOTALL)
    return [(ord("0"), int(part)) if "0" <= part[0] <= "9" else (ord(part), 0) for part in parts], net.name


def moment(stamp: str) -> str:
    """A time as Go's Time.String prints it: 2026-01-02 15:04:05.1234 +0000 UTC."""
    fraction = stamp[19:-1].rstrip("0").rstrip(".")
    return f"{stamp[:10]} {stamp[11:19]}{fraction} +0000 UTC"


def as_object(net: Network, whole: bool = False) -> dict[str, Any]:
    """One line: strings, as Docker's; `Label` is a method for templates."""
    labels = dict(net.labels)
    return {
        "CreatedAt": moment(net.created), "Driver": net.driver, "ID": net.id if whole else net.short,
        "IPv4": str(net.ipv4).lower(), "IPv6": str(net.ipv6).lower(), "Internal": str(net.internal).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in net.labels), "Name": net.name, "Scope": "local",
        "Label": lambda key: labels.get(key, ""),
    }
