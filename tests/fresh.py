"""A fresh machine of the distribution we stand on, made by scripts/test with debootstrap; nothing is installed there.

    here, a test's own network namespace
     └─ overlay: .venv/fresh/root beneath, a tmpfs above
         └─ each command: mount, process, IPC and host name namespaces of its own, this tree as its root

It has no network but that of the test, and may load no kernel modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from minidock.kernel import syscalls

HOME = Path(sys.prefix)
CHECKOUT = Path(__file__).resolve().parent.parent
_INSIDE = """
mount --bind "$1" "$1"; cd "$1"; shift
mkdir -p .old run; mount -t proc proc proc; mount -t tmpfs tmpfs run; mount -t sysfs -o ro sysfs sys
mount -t devpts devpts dev/pts
pivot_root . .old; umount -l /.old; cd /; hostname fresh
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_boot "$@"
"""


class Fresh:
    """The machine with our checkout at /vagrant, as Vagrant copies it."""

    def __init__(self, directory: Path) -> None:
        self.tree = directory / "tree"
        above = directory / "above"
        for path in (self.tree, above):
            path.mkdir()
        syscalls.mount("tmpfs", str(above), "tmpfs", 0, "")
        for part in ("upper", "work"):
            (above / part).mkdir()
        syscalls.mount("overlay", str(self.tree), "overlay", 0,
                       f"lowerdir={HOME}/fresh/root,upperdir={above}/upper,workdir={above}/work")
        self.vagrant = self.tree / "vagrant"
        for name in ("minidock", "scripts"):
            shutil.copytree(CHECKOUT / name, self.vagrant / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy2(CHECKOUT / name, self.vagrant)
        shutil.copytree(HOME / "wheelhouse/wheels", self.vagrant / "wheelhouse")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command on the machine; it and its children die with the process returned."""
        line = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "bash", "-euc", _INSIDE,
                "fresh", str(self.tree), *words]
        environment = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=environment)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)
