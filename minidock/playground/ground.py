"""What a playground's processes find in its file system: private /run, /proc and /sys, names, small programs.

Run by PID 1 in its new mount namespace. Only mounts are made there: no file of the machine is written.
"""

from __future__ import annotations

import os
import sys

from minidock.kernel import syscalls
from minidock.kernel.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_REC, MS_SHARED, MS_SLAVE

HOME = "/run/playground"
PROGRAMS = f"{HOME}/bin"
BASHRC = f"{HOME}/bashrc"
ROOT, RUN = "/run/minidock-root", "/run/minidock"  # MINIDOCK_ROOT, MINIDOCK_RUN inside
PACKAGE_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_DURABLE = "/var/lib/minidock"

_RESOLV = "nameserver 198.51.100.1\n"
_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
198.51.100.2\t{name}
2001:db8:100::2\t{name}
"""
_BASHRC = f"""[ -r ~/.bashrc ] && . ~/.bashrc
PATH={PROGRAMS}:$PATH
PS1="(${{MINIDOCK_PLACE:-playground}}) $PS1"
"""
_SUDO = """#!/bin/sh
# You are root here already, so this sudo just runs its arguments.
user=root shell=
while [ $# -gt 0 ]; do
  case $1 in
    -u|--user) user=$2; shift 2 || exit 1 ;;
    --user=*) user=${1#--user=}; shift ;;
    -u*) user=${1#-u}; shift ;;
    -[is]) shell=${SHELL:-/bin/sh}; shift ;;
    --) shift; break ;;
    -[EnHSkb]*u) user=$2; shift 2 || exit 1 ;;
    --preserve-env*|--non-interactive|--set-home|-[EnHSkb]*) shift ;;
    -*) echo "sudo: the playground's sudo knows no option $1" >&2; exit 1 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- $shell
[ $# -gt 0 ] || { echo 'usage: sudo [-EnH] [-u user] [--] [VAR=value] command' >&2; exit 1; }
user=${user#\\#}
[ "$user" = root ] || [ "$user" = 0 ] || {
  read -r _ _ mapped </proc/self/uid_map
  [ "$mapped" -gt 1 ] || {
    echo "sudo: this playground has no user but root (start it as root to have them all)" >&2; exit 1; }
  group=$(id -g -- "$user") || exit 1
  exec setpriv --reuid="$(id -u -- "$user")" --regid="$group" --clear-groups env "$@"
}
exec env "$@"
"""


def own_mounts() -> None:
    """From here on no mount of ours reaches the machine; but containers here hear of it, as under systemd."""
    syscalls.mount(None, "/", None, MS_REC | MS_SLAVE)
    syscalls.mount(None, "/", None, MS_REC | MS_SHARED)


def lay(name: str) -> list[str]:
    """Make this mount namespace a host's; returns notes on what this machine did not allow."""
    covered = {path: os.path.realpath(path) for path in ("/etc/resolv.conf", "/etc/hosts")}
    _private_run()
    if os.path.isdir(_DURABLE):
        syscalls.mount("tmpfs", _DURABLE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700")
    syscalls.sethostname(name or "playground")
    notes = [*_fresh("proc", "/proc"), *_fresh("sysfs", "/sys")]
    notes += _cover(covered["/etc/resolv.conf"], f"{HOME}/resolv.conf", _RESOLV)
    notes += _cover(covered["/etc/hosts"], f"{HOME}/hosts", _HOSTS.format(name=name or "playground"))
    return notes


def _private_run() -> None:
    with os.scandir("/run") as entries:  # NixOS keeps all its programs behind one of these
        links = [(entry.path, os.readlink(entry.path)) for entry in entries if entry.is_symlink()]
    syscalls.mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for path, target in links:
        os.symlink(target, path)
    for directory in ("/run/netns", "/run/lock", PROGRAMS):
        os.makedirs(directory)
    os.chmod("/run/lock", 0o1777)
    _write(BASHRC, _BASHRC)
    _write(f"{PROGRAMS}/sudo", _SUDO, 0o755)
    _write(f"{PROGRAMS}/minidock", minidock_script(), 0o755)


def minidock_script() -> str:
    """A program that runs this very installation with this very interpreter."""
    installed = os.path.basename(PACKAGE_HOME) in ("site-packages", "dist-packages")
    path = "" if installed else f"import sys; sys.path.insert(0, {PACKAGE_HOME!r}); "
    code = f"{path}from minidock.cli.main import main; main()"
    return f'#!/bin/sh\nexec {_quoted(sys.executable)} -Pc {_quoted(code)} "$@"\n'


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _write(path: str, text: str, mode: int = 0o644) -> None:
    with open(path, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def _fresh(kind: str, target: str) -> list[str]:
    """Mount a new proc or sysfs: the old one shows the machine's processes or devices.

    In a user namespace the kernel refuses it where the old one is partly hidden, as in a Docker container
    (fs/namespace.c, mount_too_revealing).
    """
    try:
        syscalls.mount(kind, target, kind, MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        return [f"{target} here is still the machine's own (this container hides parts of it)"]
    return []


def _cover(real: str, source: str, text: str) -> list[str]:
    """Show our text at the path; what lies in /run (systemd-resolved's file) is made anew in our own."""
    if real.startswith("/run/"):
        os.makedirs(os.path.dirname(real), exist_ok=True)
        _write(real, text)
        return []
    if not os.path.exists(real):
        return [f"{real} does not exist, so programs here may not resolve names"]
    _write(source, text)
    syscalls.mount(source, real, None, MS_BIND)
    return []
