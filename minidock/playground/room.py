"""The birth of a playground: one clone3 into new namespaces, whose first process builds a host around itself.

    CLI --clone3--> PID 1: id maps, mounts, network, then exec of the tiny reaper
     ^                |
     +--- report -----+   a pipe: end of file at exec means ready, anything else is the error

Until it is ready, and for good if it has no name, PID 1 dies with the CLI (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import Any, NoReturn

from minidock import errors
from minidock.errors import KernelRefused, MinidockError, Unsupported
from minidock.kernel import syscalls
from minidock.kernel.netlink import Refusal

_PR_SET_PDEATHSIG = 1
_NAMESPACES = (syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID
               | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
_REAPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reaper.py")
_BARRIERS = (  # sysctls that forbid user namespaces: Ubuntu's, Debian's, everybody's
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "1"),
    ("/proc/sys/user/max_user_namespaces", "0", "10000"),
)


class Newborn:
    """A PID 1 that is building its host: its pid, and the pipe it reports on."""

    def __init__(self, name: str, lan: int | None = None) -> None:
        user, group = os.geteuid(), os.getegid()
        self._report, report = os.pipe2(os.O_CLOEXEC)
        try:
            self.pid = syscalls.clone3(_NAMESPACES | (syscalls.CLONE_NEWUSER if user else 0))
        except OSError as error:
            raise forbidden(as_root=user == 0) from error
        if self.pid == 0:
            os.close(self._report)
            _live(name, lan, report, f"0 {user} 1", f"0 {group} 1")
        os.close(report)

    def wait(self) -> list[str]:
        """Wait until its host is ready; returns notes for the user, raises what went wrong."""
        with open(self._report, "rb") as report:
            text = report.read()
        if not text:
            os.waitpid(self.pid, 0)
            raise KernelRefused("the playground's first process died while it was born")
        return _understand(text)


def _understand(text: bytes) -> list[str]:
    import json

    notes = []
    for line in text.splitlines():
        word = json.loads(line)
        if "kind" in word:
            raise getattr(errors, word["kind"])(word["what"], word["hint"])
        if "bug" in word:
            raise RuntimeError(word["bug"])
        notes += word["notes"]
    return notes


def forbidden(as_root: bool) -> Unsupported:
    """Why this user can have no playground, and what to type."""
    if as_root:
        return Unsupported("this root may not make namespaces (no CAP_SYS_ADMIN)",
                           "in a Docker container: start it with --privileged")
    setting = next((f" or: sudo sysctl {path[10:].replace('/', '.')}={good}" for path, bad, good in _BARRIERS
                    if _reads(path) == bad), "")
    return Unsupported("ordinary users may make no playground here: user namespaces are forbidden",
                       f"sudo minidock playground …{setting}")


def _reads(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _live(name: str, lan: int | None, report: int, user_map: str, group_map: str) -> NoReturn:
    """The whole life of PID 1."""
    try:
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _detach(report)
        if user_map != "0 0 1":
            _map_ids(user_map, group_map)
        notes = _build(name, lan, as_user=user_map != "0 0 1")
        if name:
            syscalls.prctl(_PR_SET_PDEATHSIG, 0)
        _say(report, {"notes": notes})
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        _bury()
        os.execv(sys.executable, [sys.executable, "-ISE", _REAPER])
    except MinidockError as error:
        _say(report, {"kind": type(error).__name__, "what": error.what, "hint": error.hint})
    except BaseException:
        import traceback

        _say(report, {"bug": traceback.format_exc()})
    os._exit(1)


def _bury() -> None:
    """Reap those that died before SIGCHLD was ignored, as a daemon's parent has."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _detach(report: int) -> None:
    """Keep nothing of the CLI's: terminal, descriptors (a lock among them); end if it has died already."""
    hang_up = select.poll()
    hang_up.register(report, select.POLLERR)
    if hang_up.poll(0):
        os._exit(1)
    os.setsid()
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
    os.umask(0o022)
    os.chdir("/")


def _map_ids(user_map: str, group_map: str) -> None:
    """Be root here: our one id is 0; setgroups must be denied first (man 7 user_namespaces)."""
    try:
        for file, text in (("uid_map", user_map), ("setgroups", "deny"), ("gid_map", group_map)):
            with open(f"/proc/self/{file}", "w") as ids:
                ids.write(text)
    except OSError as error:
        raise forbidden(as_root=False) from error


def _build(name: str, lan: int | None, as_user: bool) -> list[str]:
    from minidock.playground import ground

    try:
        ground.own_mounts()
    except PermissionError as error:  # Ubuntu lets one make the user namespace, and do nothing in it
        raise forbidden(as_root=not as_user) from error
    try:
        notes = [*ground.lay(name), *_connect(lan)]
    except Refusal as refusal:
        raise refusal.as_error("the playground's network") from refusal
    except OSError as error:
        raise KernelRefused(f"{error.filename or 'the playground'}: {error.strerror}") from error
    return notes


def _connect(lan: int | None) -> list[str]:
    """The network: its internet, and beside it the LAN, unless None stands for how soon its leases are renewed."""
    if lan is None:
        from minidock.playground import uplink

        uplink.build()
        return []
    from minidock.playground import lan as office

    return office.build(lan)


def _say(report: int, word: dict[str, Any]) -> None:
    import json

    os.write(report, json.dumps(word).encode() + b"\n")
