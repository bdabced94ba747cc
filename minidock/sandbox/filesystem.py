"""The container's view of the file system: new /proc, /sys and /dev, given files, binds, hidden paths.

Sources are taken as detached mount trees while the host's view is still there; targets are resolved
afterwards, inside the container's root, so that no symbolic link in it can point out. On the host's own file
system nothing is ever created: a missing mount point there is an error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from minidock.errors import CannotRun
from minidock.kernel import syscalls
from minidock.model.process import Bind, Process
from minidock.model.record import Record
from minidock.sandbox import devices, sysctls

_GIVEN = ("hosts", "hostname", "resolv.conf")
_MASKED = (  # moby's oci/defaults.go
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"),
    *("/sys/firmware", "/sys/devices/virtual/powercap"),
)
_READ_ONLY = tuple(f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"))
_NAMESPACES = "/run/netns"
_PLAIN = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


class Tree(Record):
    """Detached mounts and the place they shall get."""

    fd: int
    target: str
    optional: bool = False


def furnish(process: Process, etc_dir: str) -> None:
    """Turn this process's new copy of the host's mounts into the container's."""
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    _lose_sight_of_sandboxes()
    trees = [*_take_given(etc_dir), *(_take_bind(bind) for bind in _outer_first(process.binds))]
    nodes = devices.take() if _in_user_namespace() else {}
    _renew_views()
    os.umask(0)
    if process.rootfs:
        _change_root(process.rootfs)
    devices.build(nodes)
    if not process.privileged:
        # The mount's flag, not the file system's: that is shared by all who look at this network namespace.
        syscalls.mount_setattr("/sys", syscalls.MOUNT_ATTR_RDONLY)
    sysctls.apply(process.sysctls, own_network=bool(process.netns))
    for tree in trees:
        _place(tree, may_create=bool(process.rootfs) or tree.target.startswith("/dev/"))
    if not process.privileged:
        _hide()


def _lose_sight_of_sandboxes() -> None:
    """Let go of the names of network namespaces, the others' and our own.

    A namespace that has a name here never dies (man 8 ip-netns); and each new name on the host would be told to every
    container, so that the thousandth would cost a thousand times the first. The place is covered: `ip` complains of
    files there that are no namespaces.
    """
    if not os.path.isdir(_NAMESPACES):
        return
    with contextlib.suppress(OSError):  # not mounted: nobody has named one yet
        syscalls.umount(_NAMESPACES, syscalls.MNT_DETACH)
        for name in os.listdir(_NAMESPACES):  # where `ip netns` mounted it first, all are in the mount below too
            syscalls.umount(f"{_NAMESPACES}/{name}", syscalls.MNT_DETACH)
    syscalls.mount("tmpfs", _NAMESPACES, "tmpfs", _PLAIN, "mode=755")


def _in_user_namespace() -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _renew_views() -> None:
    """Cover /proc and /sys by those of our own PID and network namespaces: a view is its mounter's.

    A user namespace may mount them only while it sees whole ones (fs/namespace.c, mount_too_revealing): so
    before the root changes, and where the host's are partly covered not at all; then the host's stay.
    """
    for kind, target in (("proc", "/proc"), ("sysfs", "/sys")):
        try:
            syscalls.mount(kind, target, kind, _PLAIN)
        except PermissionError:
            words = f"minidock: {target} is the host's: this user namespace may not mount its own\n"
            os.write(2, words.encode())
        except OSError as error:
            if error.errno != errno.EBUSY:  # busy: --net host, and the very same view is there already
                raise


def _take_given(etc_dir: str) -> list[Tree]:
    """The files made for this container; a target the host lacks is skipped, as it may not be created."""
    paths = [(os.path.join(etc_dir, name), f"/etc/{name}") for name in _GIVEN] if etc_dir else []
    return [Tree(syscalls.open_tree(path), target, True) for path, target in paths if os.path.exists(path)]


def _outer_first(binds: tuple[Bind, ...]) -> list[Bind]:
    return sorted(binds, key=lambda bind: os.path.normpath(bind.target).count("/"))


def _take_bind(bind: Bind) -> Tree:
    try:
        tree = syscalls.open_tree(bind.source)
    except FileNotFoundError as error:
        what = f'invalid mount config for type "bind": bind source path does not exist: {bind.source}'
        raise CannotRun(what, f"mkdir -p {bind.source}") from error
    if bind.read_only:
        syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY)
    return Tree(tree, os.path.normpath(bind.target))


def _change_root(rootfs: str) -> None:
    """Make `rootfs` our root and let the host's go (man 2 pivot_root, the "." trick of its notes)."""
    views = [(syscalls.open_tree(path), path) for path in ("/proc", "/sys")]
    try:
        syscalls.move_mount(syscalls.open_tree(rootfs), rootfs)
        os.chdir(rootfs)
        syscalls.pivot_root(".", ".")
    except OSError as error:
        what = f"rootfs {rootfs}: {(error.strerror or '').lower()}"
        raise CannotRun(what, "it must be a directory") from error
    syscalls.umount(".", syscalls.MNT_DETACH)
    os.chdir("/")
    os.makedirs("/dev", exist_ok=True)
    for tree, path in views:
        os.makedirs(path, exist_ok=True)
        syscalls.move_mount(tree, path)


def _place(tree: Tree, may_create: bool) -> None:
    if may_create:
        _make_point(tree)
    try:
        syscalls.move_mount(tree.fd, tree.target)
    except OSError as error:
        if error.errno == errno.ENOENT and tree.optional:
            return
        raise _misplaced(tree, error) from error
    finally:
        os.close(tree.fd)


def _is_directory(tree: Tree) -> bool:
    return stat.S_ISDIR(os.fstat(tree.fd).st_mode)


def _make_point(tree: Tree) -> None:
    """An empty directory or file to mount on, if nothing is there; only where it is the container's own."""
    target = os.path.realpath(tree.target)
    if os.path.exists(target):
        return
    os.makedirs(target if _is_directory(tree) else os.path.dirname(target), 0o755, exist_ok=True)
    if not _is_directory(tree):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _misplaced(tree: Tree, error: OSError) -> CannotRun:
    if error.errno == errno.ENOENT:
        make = "mkdir -p" if _is_directory(tree) else "touch"
        hint = f"the host's file system is shared, nothing is created on it for you: {make} {tree.target}"
        return CannotRun(f"mount point {tree.target} does not exist", hint)
    if _is_directory(tree) != os.path.isdir(tree.target):
        what = f"mount on {tree.target}: trying to mount a directory onto a file (or vice-versa)"
        return CannotRun(what, "a file goes on a file, a directory on a directory")
    return CannotRun(f"mount on {tree.target}: {(error.strerror or '').lower()}")


def _hide() -> None:
    """Cover what Docker masks and make read-only what it protects, wherever this kernel has it."""
    for path in _MASKED:
        if os.path.isdir(path):
            syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_RDONLY)
        elif os.path.exists(path):
            _cover(path, "/dev/null", 0)
    for path in _READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            _cover(path, path, syscalls.MOUNT_ATTR_RDONLY)


def _cover(path: str, source: str, attributes: int) -> None:
    tree = syscalls.open_tree(source)
    if attributes:
        syscalls.mount_setattr(tree, attributes)
    syscalls.move_mount(tree, path)
    os.close(tree)
