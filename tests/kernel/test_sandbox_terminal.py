"""Containers with a terminal, driven through a real one of our own: keys, sizes, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.sandbox_stage import child_of, command, detached, run

TTY = {"tty": True, "stdin_open": True, "stdin": True}


class Screen:
    """A person's terminal with a command in it."""

    def __init__(self, words: list[str]) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (33, 99))
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.command = subprocess.Popen(
            ["setsid", "--ctty", *words], stdin=self.slave, stdout=self.slave, stderr=self.slave
        )

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def shows(self, text: bytes, seconds: float = 5) -> bool:
        """Does the text appear within the time? What is seen before it is forgotten."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return False
            self.seen += os.read(self.master, 65536)
        self.seen = self.seen.partition(text)[2]
        return True

    def restored(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before


@contextlib.contextmanager
def screen(kind: str, *argv: str, **fields: Any) -> Iterator[Screen]:
    shown = Screen(command(kind, *argv, **fields))
    try:
        yield shown
    finally:
        shown.command.kill()
        shown.command.wait()
        os.close(shown.master)
        os.close(shown.slave)


def test_a_shell_on_its_own_terminal_with_the_size_of_ours() -> None:
    script = "tty; stty size; test -c /dev/console && echo console; read line; echo got $line; exit 5"
    with screen("run", "sh", "-c", script, **TTY) as shown:
        for text in (b"/dev/pts/0\r\n", b"33 99\r\n", b"console\r\n"):
            assert shown.shows(text), shown.seen
        assert not shown.restored()  # raw, so the check at the end can fail
        shown.type(b"hello\r")
        assert shown.shows(b"got hello\r\n")
        assert shown.command.wait(5) == 5 and shown.restored()


def test_ctrl_c_reaches_the_containers_foreground_process_as_a_key() -> None:
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.01; done"
    with screen("run", "sh", "-c", script, **TTY) as shown:
        assert shown.shows(b"ready")
        shown.type(b"\x03")
        assert shown.shows(b"interrupted") and shown.command.wait(5) == 3 and shown.restored()


def test_ctrl_c_without_a_terminal_inside_arrives_exactly_once() -> None:
    script = "n=0; trap 'n=$((n+1)); echo got $n' INT; echo ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.05; done"
    with screen("run", "sh", "-c", script + "; echo end $n") as shown:
        assert shown.shows(b"ready")
        shown.type(b"\x03")
        assert shown.shows(b"got 1") and shown.shows(b"end 1") and shown.command.wait(5) == 0


def test_with_init_too_job_control_and_ctrl_c_work() -> None:
    with screen("run", "sh", "-c", "echo ready; exec sleep 60", init=True, **TTY) as shown:
        assert shown.shows(b"ready")
        shown.type(b"\x03")
        assert shown.command.wait(5) == 130 and shown.restored()


def test_a_new_window_size_is_passed_on() -> None:
    script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.01; done"
    with screen("run", "sh", "-c", script, **TTY) as shown:
        assert shown.shows(b"ready")
        termios.tcsetwinsize(shown.master, (44, 111))
        assert shown.shows(b"44 111") and shown.command.wait(5) == 0


def test_the_terminal_is_restored_when_pid_1_is_killed_and_everything_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with screen("run", "sh", "-c", "echo ready; exec sleep 60", log=log, **TTY) as shown:
        assert shown.shows(b"ready") and not shown.restored()
        os.kill(child_of(shown.command.pid), signal.SIGKILL)
        assert shown.command.wait(5) == 137 and shown.restored()
    assert log.read_bytes() == b"ready\r\n"


def test_a_terminal_inside_does_not_need_one_outside() -> None:
    seen = run("sh", "-c", "tty; stty size; exit 4", tty=True)
    assert (seen.returncode, seen.stdout) == (4, "/dev/pts/0\n0 0\n")


@pytest.mark.real_root
def test_exec_with_a_terminal(tmp_path: Path) -> None:
    with detached(tmp_path, "sleep", "60") as born:
        fields = {"pid": born["pid"], "started": born["started"], "stage": ("env",), "user": "daemon", **TTY}
        with screen("exec", "sh", "-c", "tty; stty size; read x; echo got $x; exit 8", **fields) as shown:
            assert shown.shows(b"/dev/pts/0\r\n") and shown.shows(b"33 99\r\n")
            shown.type(b"key\r")
            assert shown.shows(b"got key") and shown.command.wait(5) == 8 and shown.restored()
