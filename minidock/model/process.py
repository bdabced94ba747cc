"""What the first process of a container shall be: argv, environment, limits and the files it sees."""

from __future__ import annotations

from minidock.model.record import Record


class Bind(Record):
    """A host path shown inside the container (`-v source:target[:ro]`)."""

    source: str
    target: str
    read_only: bool = False


class Process(Record):
    """Everything that PID 1 of a container is made of; complete, nothing is looked up later."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]  # complete: nothing is inherited
    hostname: str
    netns: str = ""  # path of the network namespace; "" = the one we stand in (--net host)
    cwd: str = "/"
    user: str = ""  # "" = root; name|uid[:group|gid], looked up in the container's /etc/passwd
    rootfs: str = ""  # "" = the host's own file system, shared
    binds: tuple[Bind, ...] = ()
    cap_add: tuple[str, ...] = ()  # NET_ADMIN or CAP_NET_ADMIN or ALL, case-insensitive
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    sysctls: tuple[tuple[str, str], ...] = ()
    init: bool = False  # a small reaper is PID 1
    tty: bool = False
    stdin_open: bool = False
    host_uts: bool = False  # it has the host's host name, and no other
