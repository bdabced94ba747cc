"""kill -9 before one chosen system call of a command.

strace counts `when=N` for each system call by itself, not over the whole set: so the Nth effect is named as "its
second unlink".
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
from collections import Counter

from minidock.model.record import Record
from tests.ground import COMMAND, Host

# Calls that change the kernel, the file system or other processes; a database's pages are written by pwrite64.
EFFECTS = ("sendto,sendmsg,mount,umount2,unlink,unlinkat,rmdir,rename,mkdir,ftruncate,fchmod,flock,clone,clone3,fork,"
           "vfork,write,setns,unshare,pidfd_send_signal,kill,execve,fdatasync")
PAGES = "pwrite64"
LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SEED = int(os.environ.get("MINIDOCK_KILL_SEED", "1"))


class Call(Record):
    """One system call of a command: which one, the how manyth of its name, and its arguments (their beginning)."""

    name: str
    number: int
    arguments: str

    def __str__(self) -> str:
        return f"{self.name} number {self.number}"


def calls(host: Host, names: str, *command: str) -> list[Call]:
    """The calls of these names that the command makes when nothing disturbs it, in order."""
    log = host.directory / "strace.log"
    done = subprocess.run(["strace", "-qq", "-o", str(log), "-e", f"trace={names}", *COMMAND, *command],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen: Counter[str] = Counter()
    found = []
    for name, arguments in re.findall(r"^(\w+)\((.*)", log.read_text(), re.MULTILINE):
        seen[name] += 1
        found.append(Call(name, seen[name], arguments))
    return found


def killed_before(call: Call, *command: str) -> bool:
    """Run the command and kill it before that call; False: it ended without making it."""
    inject = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:signal=KILL:when={call.number}"]
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", *inject, *COMMAND, *command],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), f"{command}: {done.returncode} {done.stderr}"
    return done.returncode != 0


def points(name: str, found: list[Call], most: int) -> list[Call]:
    """All points (of the pages every third: a transaction writes several), or so many of them by the seed."""
    every = [call for call in found if call.name != PAGES or call.number % 3 == 1]
    return every if LONG else random.Random(f"{SEED}/{name}").sample(every, most)


def strace(*words: str) -> list[str]:
    """strace's words to run something; only the process itself is traced, not its children."""
    return ["strace", "-qq", "-o", *words]
