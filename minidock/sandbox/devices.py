"""The container's /dev: a small tmpfs with the nodes, file systems and links that Docker puts there.

moby's oci/defaults.go lists the mounts, runc's specconv (AllowedDevices) the nodes, the OCI runtime
specification (config-linux.md, "Default Devices") the links.
"""

from __future__ import annotations

import errno
import os
import stat

from minidock.kernel import syscalls

_NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}
_QUIET = syscalls.MS_NOSUID | syscalls.MS_NOEXEC


def take() -> dict[str, int]:
    """The host's nodes as detached mounts: what a user namespace uses, where mknod is refused."""
    return {name: syscalls.open_tree(f"/dev/{name}") for name in _NODES}


def build(host_nodes: dict[str, int]) -> None:
    """Mount a new /dev; its nodes are the host's if there are any in `host_nodes`, else made."""
    flags = syscalls.MS_NOSUID | syscalls.MS_STRICTATIME
    syscalls.mount("tmpfs", "/dev", "tmpfs", flags, "mode=755,size=65536k")
    for name, (major, minor) in _NODES.items():
        if name in host_nodes:
            place_node(host_nodes[name], f"/dev/{name}")
        else:
            os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"/dev/{name}", 0o755)
    _mount_devpts()
    syscalls.mount("shm", "/dev/shm", "tmpfs", _QUIET | syscalls.MS_NODEV, "mode=1777,size=65536k")
    syscalls.mount("mqueue", "/dev/mqueue", "mqueue", _QUIET | syscalls.MS_NODEV)


def place_node(tree: int, path: str) -> None:
    """Show the detached mount of a device or file at a new, empty file `path`."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    syscalls.move_mount(tree, path)
    os.close(tree)


def _mount_devpts() -> None:
    """Own pseudo terminals; group 5 is tty, which a user namespace with one id does not know."""
    options = "newinstance,ptmxmode=0666,mode=0620"
    try:
        syscalls.mount("devpts", "/dev/pts", "devpts", _QUIET, f"{options},gid=5")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syscalls.mount("devpts", "/dev/pts", "devpts", _QUIET, options)
