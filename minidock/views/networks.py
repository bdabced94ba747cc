"""`net ls`: Docker's fields and columns."""

from __future__ import annotations

from typing import Any

from minidock.model.network import Network

TABLE = r"table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"
HEADS = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
         "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT"}


def as_object(net: Network, whole: bool = False) -> dict[str, Any]:
    """One line: strings, as Docker's; `Label` is a method for templates."""
    labels = dict(net.labels)
    return {
        "CreatedAt": net.created, "Driver": net.driver, "ID": net.id if whole else net.short,
        "IPv4": str(net.ipv4).lower(), "IPv6": str(net.ipv6).lower(), "Internal": str(net.internal).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in net.labels), "Name": net.name, "Scope": "local",
        "Label": lambda key: labels.get(key, ""),
    }
