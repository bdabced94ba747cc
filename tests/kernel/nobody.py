"""The CLI for the user nobody: installed where everybody can read it, and the end of user namespaces."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minidock.kernel import syscalls
from tests.kernel.playground_cli import CODE, HOME, run

BECOME = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@contextmanager
def installation(*packages: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The CLI in a place, and with an interpreter, that every user can read: (command, environment)."""
    check = "exec $0 -c 'import json, ctypes, sys; sys.exit(sys.version_info < (3, 11))'"
    python = next((python for python in (sys.executable, "/usr/bin/python3")
                   if run(check, python, cli=[*BECOME, "sh", "-c"]).returncode == 0), None)
    if not python:
        pytest.skip("no Python >= 3.11 that the user nobody can run")
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(HOME / "minidock", f"{directory}/minidock")
        for package in ("click", *packages):
            shutil.copytree(_home(package), f"{directory}/{package}")
        for path in [Path(directory), *Path(directory).rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0))
        os.mkdir(f"{directory}/run")
        os.chown(f"{directory}/run", 65534, 65534)
        yield [python, "-c", CODE], {"PYTHONPATH": directory, "PATH": "/usr/bin:/bin", "HOME": f"{directory}/run",
                                     "XDG_RUNTIME_DIR": f"{directory}/run", "PYTHONDONTWRITEBYTECODE": "1"}


def _home(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


def become_with_a_limit() -> None:
    """Be nobody, where user namespaces are forbidden.

    The limit is set in a user namespace of our own, which it binds and nobody else (man 7 namespaces).
    """
    parent, (asked, ask) = os.getpid(), os.pipe()
    mapper = os.fork()
    if mapper == 0:
        os.read(asked, 1)
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{parent}/{file}").write_text("0 0 65536")
        os._exit(0)
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    os.write(ask, b"1")
    assert os.waitpid(mapper, 0)[1] == 0
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
