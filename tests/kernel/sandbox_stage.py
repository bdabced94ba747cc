"""What the sandbox tests share: a private mount and network namespace, and the tiny CLI run inside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CLI = str(Path(__file__).with_name("sandbox_cli.py"))
STAGE = ("unshare", "--net", "--mount")
ROOTLESS = ("unshare", "--user", "--map-root-user", "--net", "--mount")


def command(kind: str, *argv: str, stage: tuple[str, ...] = STAGE, **fields: Any) -> list[str]:
    """The command line of one call of the tiny CLI."""
    return [*stage, sys.executable, CLI, kind, json.dumps({"argv": argv, **fields}, default=str)]


def run(*argv: str, input: str | None = None, stage: tuple[str, ...] = STAGE, **fields: Any) -> Any:
    """Run a container in the foreground to its end: returncode, stdout, stderr."""
    words = command("run", *argv, stage=stage, **fields)
    source = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(words, capture_output=True, text=True, timeout=20, **source)


def sh(script: str, **fields: Any) -> Any:
    """Run a shell script in a foreground container."""
    return run("sh", "-c", script, **fields)


@contextlib.contextmanager
def started(kind: str, *argv: str, **fields: Any) -> Iterator[subprocess.Popen[str]]:
    """A running call of the tiny CLI, killed at the end if it still runs."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command(kind, *argv, **fields), text=True, **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextlib.contextmanager
def detached(directory: Path, *argv: str, kind: str = "detach", **fields: Any) -> Iterator[dict[str, int]]:
    """A detached container with its log and exit file in `directory`: pid, started, monitor_pid…"""
    fields = {"log": str(directory / "log"), "directory": str(directory), **fields}
    words = command(kind, *argv, **fields)
    answer = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert answer.returncode == 0, answer.stderr
    born = json.loads(answer.stdout)
    try:
        yield born
    finally:
        for name in ("pid", "monitor_pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(born[name], signal.SIGKILL)


def eventually(true: Callable[[], object], seconds: float = 5) -> bool:
    """Does it become true within the time?"""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def running(pid: int) -> bool:
    """Is there a live process of that pid? A zombie is dead; who reaps it is its parent's affair."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def child_of(pid: int) -> int:
    """The only child of a process, once it has one."""
    found: list[str] = []

    def look() -> bool:
        found[:] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return bool(found)

    assert eventually(look)
    return int(found[0])
