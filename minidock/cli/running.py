"""What `minidock run` does, and the table of its options; without click, whose import `run` can go without."""

from __future__ import annotations

import os
import sys

from minidock.app import attaching, containers, ending, holding, starting
from minidock.app.context import App
from minidock.cli.plain import FLAG, MANY, TEXT, Option
from minidock.cli.session import opened, pairs, tell
from minidock.errors import BadRequest
from minidock.model.container import Container
from minidock.model.network import Attachment

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

CONFIGURING = (
    Option(("--name",), "name", TEXT, "Its name (default: a random one)."),
    Option(("--hostname", "-h"), "hostname", TEXT, "Its host name (default: the first 12 digits of its id)."),
    Option(("--domainname",), "domainname", TEXT, "The domain of its host name."),
    Option(("--uts",), "uts", TEXT, "host: it shares the host's host name.", "host"),
    Option(("--network", "--net"), "networks", MANY, "A network (default bridge), host, none, or container:NAME;"
           " several, or with settings: name=NET,ip=…,alias=…,gw-priority=….", "NETWORK"),
    Option(("--ip",), "ip", TEXT, "A fixed IPv4 address of the first network.", "IP"),
    Option(("--ip6",), "ip6", TEXT, "A fixed IPv6 address of it.", "IP"),
    Option(("--link-local-ip",), "link_local", MANY, "One more address, link-local.", "IP"),
    Option(("--link",), "links", MANY, "Another container by a name only this one knows.", "CONTAINER[:ALIAS]"),
    Option(("--mac-address",), "mac", TEXT, "A fixed MAC address.", "MAC"),
    Option(("-p", "--publish"), "ports", MANY, "Offer a port on the host; who reaches it is told on"
           " standard error.", "[[IP:]PORT:]PORT[/PROTO]"),
    Option(("-P", "--publish-all"), "publish_all", FLAG, "Offer all exposed ports, on host ports of our choice."),
    Option(("--expose",), "expose", MANY, "Ports that -P offers.", "PORT[-PORT][/PROTO]"),
    Option(("--network-alias", "--net-alias"), "aliases", MANY, "More names on the first network.", "NAME"),
    Option(("--dns",), "dns", MANY, "Name servers to ask instead of the host's.", "IP"),
    Option(("--dns-search",), "dns_search", MANY, "Search domains (\".\": none).", "DOMAIN"),
    Option(("--dns-option", "--dns-opt"), "dns_options", MANY, "Resolver options, as ndots:2.", "OPTION"),
    Option(("--add-host",), "extra_hosts", MANY, "A line for /etc/hosts (host-gateway: the host).", "NAME:IP"),
    Option(("-e", "--env"), "env", MANY, "Environment variables.", "KEY[=VALUE]"),
    Option(("--env-file",), "env_files", MANY, "Read them from a file.", "FILE"),
    Option(("-w", "--workdir"), "cwd", TEXT, "Working directory (default /).", "DIR"),
    Option(("-u", "--user"), "user", TEXT, "User name or id.", "USER[:GROUP]"),
    Option(("-v", "--volume"), "volumes", MANY, "Show a host path inside.", "SRC:DST[:ro]"),
    Option(("--rootfs",), "rootfs", TEXT, "A directory that becomes its root.", "DIR"),
    Option(("--cap-add",), "cap_add", MANY, "Add a Linux capability.", "CAP"),
    Option(("--cap-drop",), "cap_drop", MANY, "Drop a Linux capability.", "CAP"),
    Option(("--privileged",), "privileged", FLAG, "All capabilities, nothing masked."),
    Option(("--sysctl",), "sysctls", MANY, "Kernel settings of its namespaces.", "KEY=VALUE"),
    Option(("--label", "-l"), "labels", MANY, "Labels.", "KEY[=VALUE]"),
    Option(("--init",), "init", FLAG, "A small reaper as its first process."),
    Option(("-i", "--interactive"), "stdin_open", FLAG, "Keep its standard input open."),
    Option(("-t", "--tty"), "tty", FLAG, "Give it a terminal."),
    Option(("--rm",), "auto_remove", FLAG, "Remove it when it ends."),
)
DETACH = Option(("-d", "--detach"), "detach", FLAG, "Leave it running in the background; prints its id.")
OPTIONS = (DETACH, *CONFIGURING)


def wanted_of(given: dict[str, Any]) -> Container:
    """The container that the options and words describe."""
    words = [word for path in given.pop("env_files") for word in containers.env_from_file(path)]
    env = containers.environment([*words, *given.pop("env")])
    binds = tuple(containers.parse_bind(text) for text in given.pop("volumes"))
    for word in given["sysctls"]:
        if "=" not in word:
            raise BadRequest(f"invalid sysctl: {word}", "write it as --sysctl KEY=VALUE")
    sysctls, labels = pairs(given.pop("sysctls")), pairs(given.pop("labels"))
    rootfs = os.path.abspath(given["rootfs"]) if given["rootfs"] else ""
    flags = Attachment("", "", **{field: given.pop(field) for field in ("ip", "ip6", "mac", "aliases", "links",
                                                                        "link_local")})
    attachments = attaching.parse(given.pop("networks"), flags)
    return Container(id="", created="", network_mode=attachments[0].name, attachments=attachments, env=env,
                     binds=binds, sysctls=sysctls, labels=labels, **{**given, "rootfs": rootfs})


def run(given: dict[str, Any], explain: bool = False, dry_run: bool = False, script: str | None = None) -> int:
    """Start a container, in the foreground until it ends; its exit code."""
    detach = given.pop("detach")
    wanted = wanted_of(given)
    if detach and wanted.stdin_open and not wanted.tty:
        wanted = wanted.but(stdin_open=False)  # nobody could ever write to it
    _check_terminal(wanted, detach)
    with opened(dry_run, lingering=True) as app:
        if wanted.auto_remove:
            app.state.durable.ephemeral()
        how = holding.Detached() if dry_run or detach else holding.Attached()
        container = containers.with_free_name(app, wanted, lambda con: starting.start(app, con, how, fresh=True))
        warn(app, container)
        if detach and not dry_run:
            print(container.id)
        tell(app, _title(container), explain, script)
        return 0 if isinstance(how, holding.Detached) else serve(app, container, how, wanted.stdin_open)


def warn(app: App, container: Container) -> None:
    """Tell the user whose published ports come to nothing; or who reaches them, and past which host firewall."""
    if container.ports or container.publish_all:
        from minidock.app import neighbours, publishing, reaching
        from minidock.views import reach as view

        networks = containers.networks_of(app, container)
        text = publishing.discarded(container, networks)
        if text:
            print(f"WARNING: {text}", file=sys.stderr)
        reaches = reaching.of(app, container)
        for line in (*view.lines(reaches), *neighbours.of_ports(app, container, reaches)):
            print(line, file=sys.stderr)


def serve(app: App, container: Container, how: holding.Attached, stdin: bool) -> int:
    """Be a started container's terminal until it ends, clean up; its exit code."""
    from minidock.sandbox.foreground import foreground

    code = foreground(how.spawned, f"{app.state.directory(container)}/log", stdin, how.duties())
    holding.let_ports_go(how)
    ending.reap(app, container.id, code)
    return code


def _title(container: Container) -> str:
    return f"run {container.name} · network {container.network_mode}"


def _check_terminal(wanted: Container, detach: bool) -> None:
    if wanted.tty and wanted.stdin_open and not detach and not sys.stdin.isatty():
        raise BadRequest("the input device is not a TTY", "leave out -t when input comes from a pipe or file")
