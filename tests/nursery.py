"""A small process beside each test process, of which the commands of its tests are born.

To execute an interpreter that imports all of a command again is most of what a command costs; to fork the test process,
which holds pytest, scapy and what hypothesis drew, costs a third more than to fork this one. Who is born here is the
test process's own child (CLONE_PARENT) and stands where that stands: its namespaces, directory and environment.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import Any

CLONE_PARENT = 0x8000
HOME = Path(__file__).resolve().parents[1]
_SPACES = ("net", "mnt")


class Born(subprocess.Popen[str]):
    """The command line with these words, born of the nursery; for the rest a process as any other.

    It may be `lacking` a part of the kernel (tests/kernel/lacking_kernel.py). Only how it comes to life differs, for
    which subprocess has no public way in.
    """

    def __init__(self, mark: str, words: Sequence[str], *, stdin: Any = None, stdout: Any = None, stderr: Any = None,
                 env: dict[str, str] | None = None, process_group: int = -1, lacking: str = "") -> None:
        self._asked = {"mark": mark, "words": words, "cwd": os.getcwd(), "env": dict(env or os.environ),
                       "process_group": process_group, "lacking": lacking}
        super().__init__(words, text=True, stdin=stdin, stdout=stdout, stderr=stderr)

    def _execute_child(self, *values: Any) -> None:
        pipes = values[10:16]  # from p2cread to errwrite
        ends = [number if end == -1 else end for number, end in enumerate((pipes[0], pipes[3], pipes[5]))]
        self.pid = of_process(os.getpid()).bear(self._asked, ends)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


class Nursery:
    """The process that bears, seen by the one that asks; it ends when that does."""

    def __init__(self) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "LC_", "LANG", "PYTHON"))}
        with its:  # no word of the test's host in its environment, by which it would be taken for a stray of that
            self.process = subprocess.Popen([sys.executable, "-m", "tests.nursery"], stdin=its, cwd=HOME, env=kept)

    def bear(self, asked: dict[str, Any], ends: list[int]) -> int:
        """The process id of the newborn."""
        spaces = [os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name in _SPACES]
        try:
            with self._turn:
                socket.send_fds(self._socket, [json.dumps(asked).encode()], [*ends, *spaces])
                return int(self._socket.recv(64))
        finally:
            for fd in spaces:
                os.close(fd)


@cache
def of_process(asker: int) -> Nursery:
    """That of this process, not of one it was forked from: a newborn is its asker's child."""
    return Nursery()


def main() -> None:
    """Bear whoever is asked for, until nobody asks any more."""
    from minidock.cli import group, running  # noqa: F401  what a command needs, imported once
    from minidock.kernel import syscalls

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    ears = socket.socket(fileno=0)
    while True:
        asked, fds, *_ = socket.recv_fds(ears, 1 << 18, 8)
        if not asked:
            return
        pid = syscalls.clone3(CLONE_PARENT, 0)
        if pid == 0:
            _live(json.loads(asked), fds)
        ears.send(str(pid).encode())
        for fd in fds:
            os.close(fd)


def _live(asked: dict[str, Any], fds: list[int]) -> None:
    """In the child: stand where we are wanted, and be the command line."""
    from minidock.cli import main as command_line
    from minidock.kernel import syscalls

    for number, end in enumerate(fds[:3]):
        os.dup2(end, number)
    for space in fds[3:]:
        syscalls.setns(space, 0)
    os.closerange(3, 4096)
    if asked["process_group"] >= 0:
        os.setpgid(0, asked["process_group"])
    if asked["lacking"]:
        from tests.kernel import lacking_kernel  # few commands do, and all would pay for it: they import it anew

        lacking_kernel.install(lacking_kernel.program(asked["lacking"]))
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Path("/proc/self/comm").write_text(asked["mark"])
    sys.argv = ["minidock", *asked["words"]]
    sys.stdin, sys.stdout, sys.stderr = (
        TextIOWrapper(FileIO(fd, mode, closefd=False), errors=errors, line_buffering=fd == 2)
        for fd, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace")))
    command_line.main()


if __name__ == "__main__":
    main()
