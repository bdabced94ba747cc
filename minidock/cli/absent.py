"""Flags of Docker's that minidock refuses on purpose, each with its reason and what to type instead."""

from __future__ import annotations

_SWARM = "minidock has no swarm"
_TEMPLATE = "a network is made of its own flags; keep them in a shell variable or function"

# (command, flag) -> (why not, what to do)
ABSENT = {
    ("net create", "--ingress"): (_SWARM, "publish a port where its container runs: minidock run -p 8080:80 …"),
    ("net create", "--config-only"): ("a network of minidock's is not made from another one's settings", _TEMPLATE),
    ("net create", "--config-from"): ("a network of minidock's is not made from another one's settings", _TEMPLATE),
    ("net create", "--ipam-opt"): ("the one address driver there is has no options",
                                   "say what you want with --subnet, --ip-range, --gateway, --aux-address"),
}


def refusal(path: str, flag: str) -> tuple[str, str] | None:
    """Why a command does not have a flag that Docker's has, and a hint; None for a flag that nobody has."""
    return ABSENT.get((path.partition(" ")[2].replace("network ", "net "), flag))
