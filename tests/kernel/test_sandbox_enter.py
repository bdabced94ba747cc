"""`exec`: a second process in the container's namespaces, and its ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.sandbox_stage import ROOTLESS, command, detached, eventually, running, started

Born = dict[str, int]
NOWHERE = ("env",)  # exec needs no stage of its own: it goes where the container is


@pytest.fixture
def born(tmp_path: Path) -> Iterator[Born]:
    with detached(tmp_path, "sleep", "60", hostname="target") as container:
        yield container


def enter(born: Born, *argv: str, **fields: Any) -> Any:
    words = command("exec", *argv, stage=NOWHERE, pid=born["pid"], started=born["started"], **fields)
    return subprocess.run(words, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)


def test_it_joins_every_namespace_with_dockers_capabilities(born: Born) -> None:
    kinds = ("pid", "mnt", "uts", "ipc", "net", "user")
    links = " ".join(f"/proc/self/ns/{kind}" for kind in kinds)
    seen = enter(born, "sh", "-c", f"hostname; readlink {links}; grep CapEff /proc/self/status; exit 6")
    assert seen.returncode == 6
    expected = [os.readlink(f"/proc/{born['pid']}/ns/{kind}") for kind in kinds]
    assert seen.stdout.split() == ["target", *expected, "CapEff:", "00000000a80425fb"]


def test_output_arrives_apart_and_whole(born: Born) -> None:
    seen = enter(born, "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo err >&2")
    assert (len(seen.stdout), seen.stderr) == (300_000, "err\n")


@pytest.mark.parametrize(("program", "code"), [("nosuch", 127), ("/etc/passwd", 126), ("/etc", 126)])
def test_a_program_that_cannot_be_run(born: Born, program: str, code: int) -> None:
    seen = enter(born, program)
    assert seen.returncode == code and seen.stderr.startswith(f'exec: "{program}": ')


@pytest.mark.real_root
def test_user_directory_and_environment(born: Born) -> None:
    env = [["PATH", "/usr/bin:/bin"], ["GREETING", "hi"]]
    seen = enter(born, "sh", "-c", "id -u; pwd; echo $GREETING $HOME", user="daemon", cwd="/usr", env=env)
    assert seen.stdout.split() == ["1", "/usr", "hi", "/usr/sbin"]


def test_a_detached_one_is_adopted_by_pid_1_and_does_not_hold_up_the_end(born: Born, tmp_path: Path) -> None:
    assert enter(born, "sh", "-c", "sleep 61; echo never", detached=True).returncode == 0
    children = Path(f"/proc/{born['pid']}/task/{born['pid']}/children")
    assert eventually(lambda: len(children.read_text().split()) == 1)
    guest = int(children.read_text())
    os.kill(born["pid"], signal.SIGKILL)
    assert eventually(lambda: not running(guest), 1) and eventually((tmp_path / "exit").exists)


def test_it_dies_with_the_container_and_with_its_caller(born: Born) -> None:
    fields = {"pid": born["pid"], "started": born["started"], "stage": NOWHERE}
    with started("exec", "sh", "-c", "echo $$; exec sleep 61", **fields) as caller:
        assert caller.stdout is not None and caller.stdout.readline().strip().isdigit()
        guest = int(Path(f"/proc/{caller.pid}/task/{caller.pid}/children").read_text())
        caller.kill()
        assert eventually(lambda: not running(guest), 1)
    assert running(born["pid"])
    with started("exec", "sh", "-c", "echo up; exec sleep 61", **fields) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "up\n"
        os.kill(born["pid"], signal.SIGKILL)
        assert caller.wait(5) == 137


def test_a_container_that_is_gone_is_not_found(born: Born) -> None:
    seen = enter({**born, "started": born["started"] + 1}, "true")
    assert seen.returncode == 3 and seen.stderr.startswith("the container is not running\n")


def test_into_a_user_namespace_from_outside(tmp_path: Path) -> None:
    with detached(tmp_path, "sleep", "60", stage=ROOTLESS) as born:
        seen = enter(born, "sh", "-c", "readlink /proc/self/ns/user; grep CapEff /proc/self/status")
        assert seen.stdout.split()[0] == os.readlink(f"/proc/{born['pid']}/ns/user")
        assert seen.stdout.split()[2] == "00000000a80425fb"
