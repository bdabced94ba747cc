"""What the daily commands really load while they work, as the interpreter itself reports it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.ground import Host
from tests.unit.test_imports import CLICKS_OWN, DEAR

LINES = {
    "net create": (("net", "create", "br1", "--subnet", "172.29.0.0/16"), "minidock.drivers.bridge"),
    "run": (("run", "--rm", "--net", "br0", "true"), "minidock.sandbox.foreground"),
    "run -d": (("run", "-d", "--net", "br0", "sleep", "0.1"), "minidock.sandbox.detach"),
    "exec": (("exec", "idle", "true"), "minidock.sandbox.enter"),
    "ps": (("ps",), "minidock.views.containers"),
}


@pytest.mark.parametrize("line", LINES)
def test_a_working_command_loads_nothing_dear(line: str, host: Host) -> None:
    """-X importtime writes a line for each module loaded, at the start or later."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    host.minidock("run", "-d", "--name", "idle", "--init", "--net", "br0", "sleep", "60")
    words, expected = LINES[line]
    code = f"import sys; sys.path[:0] = {sys.path!r}; from minidock.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-SE", "-X", "importtime", "-c", code, *words],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines() if row.startswith("import time:")}
    assert expected in loaded
    assert loaded & set(DEAR) <= CLICKS_OWN
