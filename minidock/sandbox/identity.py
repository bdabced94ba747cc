"""Who a container's process is: `--user` looked up in the container's own /etc/passwd and /etc/group.

The rules are those of runc (github.com/moby/sys/user, GetExecUser): a number needs no entry, a named user
brings supplementary groups, an explicit group replaces them.
"""

from __future__ import annotations

import errno
import os

from minidock.errors import CannotRun
from minidock.model.record import Record

_LARGEST = (1 << 31) - 1


class Identity(Record):
    """Numeric user and group, the supplementary groups and the home directory."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def find(user: str, passwd: str, group: str) -> Identity:
    """Look `user` (name|uid[:group|gid], "" = root) up in the texts of /etc/passwd and /etc/group."""
    wanted, _, wanted_group = user.partition(":")
    row = _row(_rows(passwd, 7), wanted or "0")
    if row is not None:
        name, found = row[0], Identity(int(row[2]), int(row[3]), (), row[5] or "/")
    elif wanted and not wanted.isdigit():
        raise CannotRun(f"unable to find user {wanted}: no matching entries in passwd file", _USER_HINT, 125)
    else:
        name, found = "", Identity(_number(wanted or "0"))
    groups = _rows(group, 4)
    if wanted_group:
        return found.but(gid=_group(groups, wanted_group))
    return found.but(groups=tuple(int(row[2]) for row in groups if name and name in row[3].split(",")))


_USER_HINT = "the name must be in the container's /etc/passwd; a number needs no entry there"


def _rows(text: str, columns: int) -> list[list[str]]:
    """The lines with enough columns and numbers where they belong; others are skipped, as runc does."""
    rows = [line.strip().split(":") for line in text.splitlines()]
    numeric = slice(2, 4) if columns == 7 else slice(2, 3)
    return [row for row in rows if len(row) >= columns and all(cell.isdigit() for cell in row[numeric])]


def _row(rows: list[list[str]], wanted: str) -> list[str] | None:
    return next((row for row in rows if wanted in (row[0], row[2])), None)


def _group(rows: list[list[str]], wanted: str) -> int:
    row = _row(rows, wanted)
    if row is not None:
        return int(row[2])
    if not wanted.isdigit():
        hint = "the name must be in the container's /etc/group; a number needs no entry there"
        raise CannotRun(f"unable to find group {wanted}: no matching entries in group file", hint, 125)
    return _number(wanted)


def _number(text: str) -> int:
    if int(text) > _LARGEST:
        raise CannotRun("uids and gids must be in range 0-2147483647", exit_code=125)
    return int(text)


def read(path: str) -> str:
    """The text of a file that may be missing, as /etc/passwd is in the smallest root file systems."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def of(user: str) -> Identity:
    """Look `user` up in the files of the root directory we stand in."""
    return find(user, read("/etc/passwd"), read("/etc/group"))


def assume(identity: Identity) -> None:
    """Become `identity` for good; the primary group is among the supplementary ones, as Docker sets them."""
    try:
        _set_groups((identity.gid, *identity.groups))
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
        what = f"user {identity.uid}:{identity.gid} does not exist in this user namespace"
        hint = "only ids listed in /proc/self/uid_map and gid_map can be used; leave -u out"
        raise CannotRun(what, hint) from error


def _set_groups(groups: tuple[int, ...]) -> None:
    try:
        os.setgroups(list(dict.fromkeys(groups)))
    except PermissionError:
        if read("/proc/self/setgroups").strip() != "deny":  # man 7 user_namespaces
            raise
