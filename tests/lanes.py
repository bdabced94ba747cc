"""What a test needs of the kernel, `@pytest.mark.kernel("ipvlan", …)`, and where it can have it.

Here, if this machine's own kernel has it. Else scripts/test runs it in a lane (scripts/lane), which is another kernel
over the same files: the first one that has all of it. A lane is told by MINIDOCK_TEST_LANE which one it is.

scripts/test lets pytest look first (--collect-only) which lanes there must be: it writes the test files of each into a
file of the lane's name in MINIDOCK_TEST_LANES, and the lane, where imports take long, reads no others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from minidock.labs.needs import missing

_PARTS = {"ipvlan", "vlan", "dummy", "bond", "netem"}
LANES = {"uml": _PARTS, "qemu": {*_PARTS, "nat"}}  # the quick one first
HERE = os.environ.get("MINIDOCK_TEST_LANE", "")
_TOLD = os.environ.get("MINIDOCK_TEST_LANES", "")


def lane_of(item: pytest.Item) -> str:
    """Where this test runs: "" on the machine's own kernel, or the name of a lane."""
    needs = {part for mark in item.iter_markers("kernel") for part in mark.args}
    unknown = needs - LANES["qemu"]
    assert not unknown, f"{item.nodeid}: no lane has {unknown}"
    if not HERE and all(_has(part) for part in needs):
        return ""
    return next(name for name, parts in LANES.items() if needs <= parts) if needs else ""


def announce(places: Iterable[tuple[str, Path]]) -> None:
    """Tell scripts/test which lanes it must boot, and these which test files are theirs."""
    for lane, path in sorted(set(places)) if _TOLD else ():
        if lane:
            with open(f"{_TOLD}/{lane}", "a") as file:
                print(path, file=file)


def strange(path: Path) -> bool:
    """Is this, in a lane, a test file that has nothing for it?"""
    return bool(HERE and _TOLD) and path.name.startswith("test_") and str(path) not in _mine()


@cache
def _mine() -> frozenset[str]:
    return frozenset(Path(_TOLD, HERE).read_text().splitlines())


@cache
def _has(part: str) -> bool:
    """Does this kernel know it? NAT every machine is taken to have: most tests need it."""
    return part == "nat" or not missing([part])
