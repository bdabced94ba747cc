"""`port` and the PORTS column of `ps`, as docker/cli prints them (cli/command/formatter/container.go)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from minidock.errors import BadRequest, NotFound
from minidock.model.ports import ContainerPort, PortBinding, bracketed, span


def natural(text: str) -> list[tuple[int, int]]:
    """A sort key by which numbers inside the text count as numbers: 80 before 443."""
    return [(ord("0"), int(run)) if run.isdigit() else (ord(run), 0) for run in re.findall(r"[0-9]+|[^0-9]", text)]


def lines(bindings: Iterable[PortBinding]) -> list[str]:
    """`port CONTAINER`: every published port and where the host offers it."""
    each = (single for binding in bindings if binding.host_port for single in binding.each)
    return sorted((f"{single.port}/{single.proto} -> {_host(single)}" for single in each), key=natural)


def public(bindings: Iterable[PortBinding], asked: str, container: str) -> list[str]:
    """`port CONTAINER 80[/udp]`: where the host offers that port."""
    number, _, proto = asked.partition("/")
    if not number.isascii() or not number.isdigit() or int(number) > 65535:
        raise BadRequest(f"invalid port ({number})", f"write it as 80 or 80/udp: minidock port {container} 80")
    bindings = tuple(binding for binding in bindings if binding.host_port)
    found = [_host(single) for binding in bindings if binding.proto == (proto or "tcp")
             for single in binding.each if single.port == int(number)]
    if not found:
        raise NotFound(f"no public port '{asked}' published for {container}", _published(bindings, container))
    return sorted(found, key=natural)


def _published(bindings: tuple[PortBinding, ...], container: str) -> str:
    ports = sorted({f"{span(item.port, item.last)}/{item.proto}" for item in bindings}, key=natural)
    return f"published are {', '.join(ports)}: minidock port {container}" if ports else \
        f"none is: publish one with minidock run -p 8080:80 --name {container} …"


def _host(single: PortBinding) -> str:
    return f"{bracketed(single.host_ip)}:{single.host_port}"


def column(bindings: Iterable[PortBinding], exposed: Iterable[ContainerPort] = ()) -> str:
    """The PORTS of one container.

    Ports only exposed, and those with the same number on the host, are joined to ranges for each protocol and host
    address; the others come one by one and last.
    """
    singles = [single for binding in bindings if binding.host_port for single in binding.each]
    published = {(single.port, single.proto) for single in singles}
    rows = [(item.port, 0, 0, 0, item.proto, "") for item in set(exposed) if (item.port, item.proto) not in published]
    rows += [(item.port, item.host_ip.version, int(item.host_ip), item.host_port, item.proto, bracketed(item.host_ip))
             for item in singles]
    runs: dict[tuple[str, str], tuple[int, int]] = {}
    closed, moved = [], []
    for port, _, _, host_port, proto, ip in sorted(rows):
        if ip and port != host_port:
            moved.append(f"{ip}:{host_port}->{port}/{proto}")
            continue
        first, last = runs.get((ip, proto), (port, port - 1))
        if port != last + 1:
            closed.append(_run(ip, proto, first, last))
            first = port
        runs[ip, proto] = first, port
    return ", ".join([*closed, *(_run(*key, *ends) for key, ends in runs.items()), *moved])


def _run(ip: str, proto: str, first: int, last: int) -> str:
    ports = span(first, last)
    return f"{ip}:{ports}->{ports}/{proto}" if ip else f"{ports}/{proto}"
