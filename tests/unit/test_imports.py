"""Import cost is a feature: what the commands people type all day must not load (spec: process-facts, §1.2)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from minidock.cli.group import COMMANDS

# Each costs a start 1 to 90 ms.
DEAR = ("dataclasses", "asyncio", "subprocess", "logging", "pathlib", "secrets", "uuid", "tempfile",
        "importlib.metadata", "scapy", "pyroute2")
# click.types itself imports uuid (0.6 ms, mostly its platform module).
CLICKS_OWN = {"uuid"}
# Imported inside functions, when the command is under way.
LATER = {
    "run": ("minidock.sandbox.foreground", "minidock.sandbox.detach", "minidock.app.repair", "minidock.views.explain"),
    "net": ("minidock.app.looking", "minidock.app.repair", "minidock.views.table"),
    "ps": ("minidock.app.repair", "minidock.views.containers", "minidock.views.table"),
    "exec": ("minidock.app.repair",),
}


def loaded_by(statements: str) -> set[str]:
    """The modules loaded by these statements; `site` with its .pth files is left out, it is not ours."""
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{statements}\nimport json; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-ISE", "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("command", LATER)
def test_a_daily_command_loads_nothing_dear(command: str) -> None:
    """Nor does anything it imports on its way; the modules must exist, so a rename is noticed."""
    modules = ("minidock.cli.main", f"minidock.cli.{COMMANDS[command][0]}", *LATER[command])
    loaded = loaded_by("".join(f"import {module}\n" for module in modules))
    assert set(modules) <= loaded
    assert loaded & set(DEAR) <= CLICKS_OWN


@pytest.mark.parametrize("name", sorted(set(DEAR) - {"scapy", "pyroute2"}))
def test_the_look_would_see_them(name: str) -> None:
    """The positive control: what is imported is found by the same look."""
    assert name in loaded_by(f"import {name}")


def test_uuid_is_clicks_own() -> None:
    """The one exception is loaded by click alone; when click stops, the exception goes."""
    assert loaded_by("import click") & set(DEAR) == CLICKS_OWN


def test_help_loads_no_command() -> None:
    """`minidock --help` knows its commands without importing them."""
    loaded = loaded_by("import minidock.cli.main")
    assert "minidock.cli.main" in loaded
    assert not {name for name in loaded if name.startswith(("minidock.app", "minidock.kernel", "sqlite3"))}


def test_nobody_defines_dataclasses() -> None:
    """Each costs 0.45 ms at every start; Record does the same for nothing. pyroute2's DHCP client has some."""
    loaded = loaded_by("import pkgutil, minidock\n"
                       "for item in pkgutil.walk_packages(minidock.__path__, 'minidock.'):\n"
                       "    if item.name.split('.')[-1] not in ('__main__', 'monitor', 'reaper', 'dhcp'):\n"
                       "        __import__(item.name)")
    assert {"minidock.engine", "minidock.playground.room"} <= loaded
    assert "dataclasses" not in loaded
