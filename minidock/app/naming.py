"""Use case: the names of containers. The embedded server at 127.0.0.11, and the files that lead to it.

    sandbox rules   127.0.0.11:53 -> 127.0.0.11:PORT       drivers/sandbox.py, before the process
    rows            resolvers, names                       with the row that says it runs
    server          has read them, and listens             before the process is let go
"""

from __future__ import annotations

import contextlib
import os

from minidock.app import identity
from minidock.app.context import App
from minidock.dns import files
from minidock.dns.files import ResolvConf
from minidock.drivers.sandbox import name_service
from minidock.kernel import procsys
from minidock.model.container import Container, Run
from minidock.model.network import Endpoint, Network
from minidock.sandbox.guard import Guard

_FIRST_PORT, _PORTS = 61000, 4536  # beyond the ephemeral ones, so that no client in the container has it


def named(network: Network) -> bool:
    """Do containers find each other by name there? On networks the user made; the predefined ones have none."""
    return network.driver == "bridge" and network.name != "bridge"


def prepare(app: App, container: Container, network: Network) -> int:
    """Lead port 53 to the port where the server will listen for this life, which is returned; 0 without names.

    The server, if none runs, starts meanwhile, while the rest of the sandbox is built.
    """
    if not named(network):
        return 0
    if not app.dry:
        _ensure(app.state.run)
    port = _FIRST_PORT + int(identity.digits(f"resolver/{container.name}", 8), 16) % _PORTS
    app.engine.build(f"{container.scope}/names", name_service(container, port))
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


def write_rows(app: App, container: Container, network: Network, endpoint: Endpoint, run: Run, port: int) -> None:
    """Who asks at which port, and who is called what; inside the caller's transaction."""
    if not port or endpoint.address is None:
        return
    from minidock.dns import tables
    from minidock.dns.zones import Client

    conf = _resolver_conf(container)
    client = Client(container.id, ((network.id, network.name),), upstreams=files.upstreams(conf), ndots=conf.ndots,
                    internal=endpoint.gateway is None)
    app.state.names.serve(container.id, container.netns, (run.pid, run.pid_started), port,
                          tables.packed_config(client))
    app.state.names.enter(network.id, container.id, container.dns_names, str(endpoint.address.ip))


def attend(app: App, container: Container, network: Network) -> None:
    """Return when the container's server listens."""
    if named(network):
        from minidock.dns import process

        process.attend(app.state.run, container.id)


def rename(app: App, container: Container, name: str) -> None:
    """A running container is found by its new name at once."""
    with app.state.running.transaction():
        app.state.names.rename(container.id, container.name, name)
    from minidock.dns import bell

    bell.nudge(app.state.run)


def write_files(app: App, container: Container, network: Network, endpoint: Endpoint) -> None:
    """The container's hosts, hostname and resolv.conf, a log and an empty status; no exit code of an earlier life."""
    directory = app.state.directory(container)
    os.makedirs(directory, 0o711, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{directory}/exit")
    texts = {"resolv.conf": _resolv_conf(container, network), "hosts": _hosts(app, container, endpoint),
             "hostname": container.hostname + "\n", "status": ""}
    for name, content in texts.items():
        with open(f"{directory}/{name}", "w") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
    os.close(os.open(f"{directory}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640))


def _resolv_conf(container: Container, network: Network) -> str:
    conf = _resolver_conf(container)
    if named(network):
        return files.internal(conf)
    if network.driver != "host":
        return files.legacy(conf, ipv6=False)
    return files.plain(conf) if conf.overrides else _host_resolv_conf()[0]


def _hosts(app: App, container: Container, endpoint: Endpoint) -> str:
    if container.network_mode == "host" and not container.extra_hosts:
        return _read("/etc/hosts")
    extra = [files.extra_host(word) for word in container.extra_hosts]
    if any(address == files.HOST_GATEWAY for _, address in extra):
        pools = app.state.networks.find("bridge").pools
        extra = list(files.with_gateway(extra, tuple(str(pool.gateway) for pool in pools if pool.gateway)))
    address = endpoint.address.ip if endpoint.address else None
    return files.hosts(address, container.hostname, _has_ipv6(), extra)


def _resolver_conf(container: Container) -> ResolvConf:
    text, path = _host_resolv_conf()
    return files.overridden(files.parse(text, path), container.dns, container.dns_search, container.dns_options)


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
