"""The playground's CLI for tests: run it, run scripts inside, look at the machine around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
CODE = "import sys; sys.argv.insert(1, 'playground'); from minidock.cli.main import main; main()"
CLI = [sys.executable, "-c", CODE]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOME)}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces as root; one test becomes nobody")


def run(*words: str, cli: list[str] = CLI, **options: object) -> subprocess.CompletedProcess[str]:
    """The CLI with these words."""
    usual: dict[str, object] = {"capture_output": True, "text": True, "timeout": 30, "env": ENVIRONMENT,
                                "stdin": subprocess.DEVNULL}
    return subprocess.run([*cli, *words], **{**usual, **options})  # type: ignore[call-overload, no-any-return]


def inside(script: str, **options: object) -> str:
    """What a shell script prints in a playground of its own; it must succeed."""
    done = run("--", "sh", "-ec", script, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    return done.stdout


def picture_of_the_machine() -> tuple[object, ...]:
    """What no playground may change."""
    links = subprocess.run(["ip", "-j", "address"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    named = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else None
    return ([(link["ifname"], link["operstate"], link["addr_info"]) for link in json.loads(links)], routes,
            Path("/proc/self/mountinfo").read_text(), named, Path("/etc/resolv.conf").read_text(),
            Path("/etc/hosts").read_text(), os.uname().nodename, os.path.exists("/var/lib/minidock"))


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Does it come true in time?"""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def processes_in(pid_namespace: str) -> list[int]:
    """The processes of a PID namespace that live, by the machine's numbers; the dead wait for the machine's init."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            here = os.readlink(f"/proc/{pid}/ns/pid") == pid_namespace
            if here and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(pid))
        except OSError:  # it has just ended
            continue
    return found


@pytest.fixture
def program() -> Iterator[Path]:
    """The CLI as one executable file, for scripts inside playgrounds."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "playground")
        file.write_text(f"#!{sys.executable}\n{CODE}")
        file.chmod(0o755)
        yield file
