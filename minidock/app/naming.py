"""Use case: the names of containers. The embedded server at 127.0.0.11, and the files that lead to it.

    sandbox rules   127.0.0.11:53 -> 127.0.0.11:PORT       drivers/sandbox.py, before the process
    rows            resolvers, names                       with the row that says it runs
    server          has read them, and listens             before the process is let go
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from minidock.app import identity
from minidock.app.context import App
from minidock.dns import files
from minidock.dns.files import ResolvConf
from minidock.drivers.sandbox import name_service
from minidock.errors import Conflict, KernelRefused, NotFound
from minidock.kernel import procsys
from minidock.model.container import Container, Run
from minidock.model.network import Endpoint, Interface, Network, Way, by_gateway
from minidock.sandbox.guard import Guard

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

    from minidock.dns.zones import Client

Ways: TypeAlias = tuple[Way, ...]

_DNS = 53
_FIRST_PORT, _PORTS = 61000, 4536  # beyond the ephemeral ones, so that no client in the container has it


def named(network: Network) -> bool:
    """Do containers find each other by name there? On networks the user made; the predefined ones have none."""
    return network.user_defined


def any_named(ways: Ways) -> bool:
    """Is any of these networks one with names?"""
    return any(named(network) for network, _ in ways)


def prepare(app: App, container: Container, ways: Ways) -> int:
    """Lead port 53 to the port where the server will listen for this life, which is returned; 0 without names.

    The server, if none runs, starts meanwhile, while the rest of the sandbox is built.
    """
    named_some = any_named(ways)
    if not app.dry and (named_some or any(item.carried for _, end in ways for item in end.ports)):
        _ensure(app.state.run)
    if not named_some:
        return 0
    port = _FIRST_PORT + int(identity.digits(f"resolver/{container.name}", 8), 16) % _PORTS
    try:
        app.engine.build(f"{container.scope}/names", name_service(container, port))
    except KernelRefused as refusal:
        if refusal.errno != errno.EOPNOTSUPP:
            raise
        return _DNS  # a kernel without NAT leads nothing anywhere: the server listens on port 53 itself
    return port


def guard(run_directory: str) -> Guard | None:
    """Whoever waits for a container with names keeps the name server of this RUN directory alive meanwhile."""
    return Guard(run_directory, _ensure) if run_directory else None


def end_server(run_directory: str) -> None:
    """End the name server, and wait until it has: RUN is going away."""
    from minidock.dns import keeper

    keeper.end(run_directory)


def _ensure(run_directory: str) -> None:
    from minidock.dns import keeper

    keeper.ensure(run_directory, wait=False)


def write_rows(app: App, container: Container, ways: Ways, run: Run, port: int) -> None:
    """Who asks at which port, and who is called what; inside the caller's transaction. Older rows are replaced."""
    if not port:
        return
    from minidock.dns import tables

    names = app.state.names
    names.serve(container.id, container.netns, (run.pid, run.pid_started), port,
                tables.packed_config(_client(container, ways)))
    names.leave(container.id)
    for network, end in ways:
        if named(network):
            names.enter(network.id, container.id, container.dns_names(container.asked_of(end)), _ip(end.address),
                        _ip(end.address6))


def _client(container: Container, ways: Ways) -> Client:
    """What its server knows of the one who asks: networks in the order it prefers them, links, upstream servers."""
    from minidock.dns.zones import Client

    conf = _resolver_conf(container, ways)
    usable = {network.id: network.name for network, _ in ways if named(network)}
    ends = [end for end in by_gateway(end for _, end in ways) if end.network in usable]
    words = [word.partition(":") for end in ends for word in container.asked_of(end).links]
    links = tuple((alias or target.lstrip("/"), target.lstrip("/")) for target, _, alias in words)
    closed = not any(end.leads_out(version) for _, end in ways for version in (4, 6))
    return Client(container.id, tuple((end.network, usable[end.network]) for end in ends), links,
                  files.upstreams(conf), conf.ndots, closed)


def _ip(interface: Interface | None) -> str:
    return str(interface.ip) if interface else ""


def attend(app: App, container: Container, port: int, carried: bool) -> None:
    """Return when the container's server listens, and its ports are carried."""
    if port or carried:
        from minidock.dns import process

        process.attend(app.state.run, container.id)


def tell_server(app: App, wait: bool = False) -> None:
    """Rows have changed: the name server looks again; `wait` until it has, and has let go of ports it carried."""
    from minidock.dns import bell

    if wait:
        bell.ring(app.state.run, "")
    else:
        bell.nudge(app.state.run)


def rename(app: App, container: Container, name: str) -> None:
    """A running container is found by its new name at once."""
    with app.state.running.transaction():
        app.state.names.rename(container.id, container.name, name)
    tell_server(app)


def write_files(app: App, container: Container, ways: Ways) -> None:
    """The container's hosts, hostname and resolv.conf, a log and an empty status; no exit code of an earlier life."""
    directory = app.state.directory(container)
    os.makedirs(directory, 0o711, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{directory}/exit")
    if container.donor:
        _borrow(app, container, directory)
        return
    texts = {"resolv.conf": resolv_conf(container, ways), "hosts": _hosts(app, container, ways),
             "hostname": container.hostname + "\n", "status": ""}
    for name, content in texts.items():
        _write(f"{directory}/{name}", content)
    _make_log(directory)


def _borrow(app: App, container: Container, directory: str) -> None:
    """The files of the container whose sandbox it shares: the same, not copies, so that changes are seen in both."""
    from minidock.app import sharing

    theirs = app.state.directory(sharing.donor_of(app, container))
    for name in ("resolv.conf", "hosts", "hostname"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
        os.link(f"{theirs}/{name}", f"{directory}/{name}")
    _write(f"{directory}/status", "")
    _make_log(directory)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)


def _make_log(directory: str) -> None:
    os.close(os.open(f"{directory}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640))


def resolv_conf(container: Container, ways: Ways) -> str:
    """The container's resolv.conf as it is to be."""
    conf = _resolver_conf(container, ways)
    if any_named(ways):
        return files.internal(conf)
    if container.network_mode != "host":
        return files.legacy(conf, ipv6=any(end.address6 for _, end in ways))
    return files.plain(conf) if conf.overrides else _host_resolv_conf()[0]


def _hosts(app: App, container: Container, ways: Ways) -> str:
    if container.network_mode == "host" and not container.extra_hosts:
        return _read("/etc/hosts")
    extra = [files.extra_host(word) for word in container.extra_hosts]
    if any(address == files.HOST_GATEWAY for _, address in extra):
        pools = app.state.networks.find("bridge").pools
        extra = list(files.with_gateway(extra, tuple(str(pool.gateway) for pool in pools if pool.gateway)))
    extra += [pair for network, end in ways if not network.user_defined for pair in _linked(app, container, end)]
    own = [one.ip for _, end in ways for one in end.interfaces]
    return files.hosts(None, container.full_hostname, _has_ipv6(), extra, own)


def _linked(app: App, container: Container, end: Endpoint) -> Iterator[tuple[str, str]]:
    """The legacy links of the default network: lines of /etc/hosts, true while the other runs (docker --link)."""
    for word in container.asked_of(end).links:
        target, _, alias = word.partition(":")
        other = _link_target(app, target)
        found = [one for one in app.state.runs.endpoints(container_id=other.id) if one.network == end.network]
        if app.state.runs.of(other.id) is None:
            raise Conflict(f"Cannot link to a non running container: /{other.name} AS /{container.name}/"
                           f"{alias or other.name}", f"start it first: minidock start {other.name}")
        if not found:
            raise Conflict(f"container {other.id} not attached to default bridge network: {other.name}",
                           f"connect it: minidock net connect bridge {other.name}; or better, use a network of yours")
        names = dict.fromkeys((alias or other.name, other.hostname, other.name))
        yield from ((" ".join(names), str(one.ip)) for one in found[0].interfaces)


def _link_target(app: App, reference: str) -> Container:
    try:
        return app.state.containers.find(reference)
    except NotFound as error:
        raise NotFound(f"could not get container for {reference}: {error.what}", error.hint) from error


def rewrite_hosts(app: App, container: Container, ways: Ways) -> None:
    """Its own lines for the addresses of now; what else the user or the container wrote stays."""
    path = f"{app.state.directory(container)}/hosts"
    names = files.both(container.full_hostname)
    own = [f"{one.ip}\t{names}" for _, end in ways for one in end.interfaces]
    kept = [line for line in _present(path).splitlines() if not line.endswith(f"\t{names}")]
    _rewrite(path, "\n".join([*kept, *own, ""]))


def rewrite_resolv_conf(app: App, container: Container, ways: Ways, before: Ways) -> None:
    """What it is to be now, unless somebody has edited it."""
    path = f"{app.state.directory(container)}/resolv.conf"
    present = _present(path)
    for conf in (_resolver_conf(container, some) for some in (ways, before, ())):
        if present in (files.internal(conf), files.legacy(conf, ipv6=False), files.legacy(conf, ipv6=True)):
            _rewrite(path, resolv_conf(container, ways))
            return


def _present(path: str) -> str:
    """A file's text; that of its draft, if a killed command left one."""
    return _read(f"{path}.draft") or _read(path)


def _rewrite(path: str, text: str) -> None:
    """Write a file in place, for containers have it mounted; a draft beside it tells all of it meanwhile."""
    _write(f"{path}.new", text)
    os.rename(f"{path}.new", f"{path}.draft")
    _write(path, text)
    os.unlink(f"{path}.draft")


def _resolver_conf(container: Container, ways: Ways) -> ResolvConf:
    """The host's, with what the user gave, or else what came with the lease by which it leads out."""
    text, path = _host_resolv_conf()
    leases = [end.lease for end in by_gateway(end for _, end in ways) if end.lease]
    lent = next((lease for lease in leases if lease.name_servers), None)
    servers, domain = (tuple(map(str, lent.name_servers)), lent.domain) if lent else ((), "")
    return files.overridden(files.parse(text, path), container.dns or servers,
                            container.dns_search or ((domain,) if domain else ()), container.dns_options)


def _has_ipv6() -> bool:
    """Has a new namespace's loopback ::1?"""
    return procsys.known("net.ipv6.conf.all.forwarding")


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _host_resolv_conf() -> tuple[str, str]:
    """The host's resolver file, or systemd-resolved's upstream one when the former names only its stub; its path."""
    text = _read("/etc/resolv.conf")
    upstream = "/run/systemd/resolve/resolv.conf"
    if files.servers(text) == ["127.0.0.53"] and os.path.exists(upstream):
        return _read(upstream), upstream
    return text, "/etc/resolv.conf"
