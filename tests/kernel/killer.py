"""kill -9 of a command by strace's fault injection, at every call that changes something."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess

from tests.ground import COMMAND, Host

# Calls that change the kernel, the file system or other processes; a database's pages are written by pwrite64.
EFFECTS = ("sendto,sendmsg,mount,umount2,unlink,unlinkat,rmdir,rename,mkdir,ftruncate,fchmod,flock,clone,clone3,fork,"
           "vfork,write,setns,unshare,pidfd_send_signal,kill,execve,fdatasync")
PAGES = "pwrite64"
LONG = os.environ.get("MINIDOCK_TEST_LONG") == "1"
SEED = int(os.environ.get("MINIDOCK_KILL_SEED", "1"))


def strace(*words: str) -> list[str]:
    """strace's words to run something; only the process itself is traced, not its children."""
    return ["strace", "-qq", "-o", *words]


def count(host: Host, calls: str, *command: str) -> int:
    """How many such calls the command makes when nothing disturbs it."""
    log = host.directory / "strace.log"
    done = subprocess.run([*strace(str(log), "-e", f"trace={calls}"), *COMMAND, *command], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"^\w+\(", log.read_text(), re.MULTILINE))


def killed_at(number: int, calls: str, *command: str) -> bool:
    """Run the command and kill it before its call of that number; False: it ended before."""
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={number}"]
    done = subprocess.run([*strace("/dev/null", *inject), *COMMAND, *command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), f"{command}: {done.returncode} {done.stderr}"
    return done.returncode != 0


def points(name: str, effects: int, pages: int, most: int) -> list[tuple[str, int]]:
    """All points (of the pages every third: a transaction writes several), or so many of them by the seed."""
    every = [(EFFECTS, number) for number in range(1, effects + 1)]
    every += [(PAGES, number) for number in range(1, pages + 1, 3)]
    return every if LONG else random.Random(f"{SEED}/{name}").sample(every, most)
