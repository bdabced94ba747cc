"""Many minidock processes at once, and what must be true of each of them and afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

from tests.ground import Host, until


class Ended:
    """One command that has run beside others."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out, self.err = process.communicate(timeout=60)
        self.code = process.returncode


def at_once(host: Host, commands: Iterable[tuple[str, ...]]) -> list[Ended]:
    """Start all commands before waiting for the first."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return [Ended(process) for process in [host.start(*words, **pipes) for words in commands]]


def honest(ended: Iterable[Ended]) -> None:
    """Who did not succeed says one sentence, and no bug."""
    for one in ended:
        assert one.code == 0 or (one.err.startswith("minidock: ") and one.code in (3, 4, 5, 125)), one.err
        assert "bug" not in one.err
        assert "Traceback" not in one.err


def listed(host: Host, *words: str) -> list[Any]:
    return [json.loads(line) for line in host.minidock(*words, "--format", "json").stdout.splitlines()]


def nothing_left(host: Host, before: dict[str, object]) -> None:
    """The kernel as before, no container, no process, and repair has nothing to do."""
    assert host.settled(before, 5) == before
    assert not listed(host, "ps", "-a")
    assert until(host.strays, lambda found: not found, 5) == []
    assert host.minidock("system", "repair").stdout == "nothing to repair\n"
