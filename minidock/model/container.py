"""Containers: what the user asked for, and how the last run went."""

from __future__ import annotations

from minidock.model.network import Attachment, Endpoint
from minidock.model.process import Bind
from minidock.model.record import Record


class Container(Record):
    """A process tree in a sandbox, as configured."""

    id: str  # 64 hex digits
    name: str
    created: str  # RFC 3339, nanoseconds
    argv: tuple[str, ...]
    network_mode: str  # the first network's name, host, none, or container:ID
    hostname: str
    attachments: tuple[Attachment, ...] = ()  # none when it shares another container's sandbox
    env: tuple[str, ...] = ()  # KEY=value
    cwd: str = ""
    user: str = ""
    binds: tuple[Bind, ...] = ()
    rootfs: str = ""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    sysctls: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    auto_remove: bool = False
    ports: tuple[str, ...] = ()  # -p, as written
    expose: tuple[str, ...] = ()  # --expose, as written
    publish_all: bool = False
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()  # --add-host, as written
    domainname: str = ""
    uts: str = ""  # host: it has the host's host name, and no UTS namespace of its own

    @property
    def short(self) -> str:
        """The first 12 digits of the id."""
        return self.id[:12]

    def dns_names(self, attachment: Attachment) -> tuple[str, ...]:
        """What it is called on a network of the user's, its own name first."""
        return tuple(dict.fromkeys((self.name, *attachment.aliases, self.short, self.hostname)))

    def asked_of(self, endpoint: Endpoint) -> Attachment:
        """What it asks of an endpoint's network: as configured, or as it was connected while it runs."""
        return next((item for item in self.attachments if item.network == endpoint.network), endpoint.attachment)

    @property
    def donor(self) -> str:
        """The id of the container whose sandbox it shares; "" if it has one of its own, or the host's."""
        return self.network_mode.removeprefix("container:") if self.network_mode.startswith("container:") else ""

    @property
    def full_hostname(self) -> str:
        """The host name with its domain."""
        return f"{self.hostname}.{self.domainname}" if self.domainname else self.hostname

    @property
    def scope(self) -> str:
        """The name of its kernel objects' scope."""
        return f"container/{self.short}"

    @property
    def netns(self) -> str:
        """The name in /run/netns of its own sandbox; "" if it has none."""
        return "" if self.network_mode == "host" or self.donor else f"md-{self.short}"


class Run(Record):
    """One life of a container: where its processes are, when it began."""

    state: str  # starting, running, stopping
    pid: int
    pid_started: int  # clock ticks since boot, field 22 of /proc/PID/stat: tells a reused pid
    monitor: int
    monitor_started: int
    started: str
    starts: int  # how many lives there were, this one included


class End(Record):
    """How the last run ended."""

    exit_code: int
    started: str = ""
    finished: str = ""
    error: str = ""
    starts: int = 0
