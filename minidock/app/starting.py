"""Use case: start a container. Lease, sandbox, cable, process; on any failure nothing is left.

    lock container, its networks (shared)
      rows: run starting, endpoints joining, leases          one transaction; host ports are bound in it
      container scope: the sandbox                           engine
      endpoint scopes: rules, cable, addresses               engine
      exit scope: rules of published ports, default routes   engine
      process: cloned, waiting for one byte                  sandbox
      rows: pid and start time                               one transaction
      the byte: exec
"""

from __future__ import annotations

import os
import signal

from minidock.app import events, holding, leasing, naming, networks
from minidock.app.containers import exec_hint, networks_of
from minidock.app.context import App, now
from minidock.app.ending import forget, give_back
from minidock.drivers import DRIVERS, bridge
from minidock.drivers.sandbox import sandbox
from minidock.errors import CannotRun, Conflict, MinidockError, NotFound
from minidock.model.container import Container, End, Run
from minidock.model.network import Endpoint, Facts, Network, Way, exit_scope
from minidock.model.process import Process
from minidock.sandbox.liveness import signal_process, start_time, wait_gone
from minidock.sandbox.spawn import release

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Ways: TypeAlias = tuple[Way, ...]
Networks: TypeAlias = tuple[Network, ...]
How: TypeAlias = holding.Attached | holding.Detached

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(app: App, container: Container, how: How, fresh: bool) -> None:
    """Start it; `fresh`: the container is made by this very command, and leaves with a failure before its start.

    When it returns, the container's program runs; in a rehearsal nothing does.
    """
    nets = networks_of(app, container)
    for network in nets:
        networks.ensure(app, network)
    if app.dry:
        _rehearse(app, container, nets)
        return
    with app.state.container_lock(container.id), app.state.attaching(nets):
        ways = _enter(app, container, nets, how, fresh)
        try:
            ways, port = _build(app, container, ways)
            _launch(app, container, ways, how, port)
        except BaseException as error:
            holding.let_ports_go(how)
            _undo(app, container, fresh, error)
            raise
        events.started(app, container, nets, fresh)


def _enter(app: App, container: Container, nets: Networks, how: How, fresh: bool) -> Ways:
    """`_write_down`; a failure leaves no host port bound."""
    try:
        return _write_down(app, container, nets, how, fresh)
    except BaseException:
        holding.let_ports_go(how)
        raise


def _write_down(app: App, container: Container, nets: Networks, how: How, fresh: bool) -> Ways:
    """That the container starts, its leases: addresses and host ports; the container's own row if it is new."""
    end = None if fresh else app.state.containers.end_of(container)
    starts = end.starts + 1 if end else 1
    began = now()
    with app.state.running.transaction():
        _refuse_running(app, container)
        if not fresh and app.state.containers.get(container.id) is None:
            raise NotFound(f"No such container: {container.name}", "somebody removed it meanwhile: minidock ps -a")
        ways = _leased(app, container, nets, starts)
        if publishes(container):
            from minidock.app import publishing  # most containers publish nothing

            ways = publishing.publish(app, container, ways, how.sockets)
        app.state.runs.begin(container, os.getpid(), start_time(os.getpid()), began, starts, fresh)
        for _, endpoint in ways:
            app.state.runs.join(endpoint)
    presumed = End(255, began, "", "", starts)  # what is true if the machine is switched off now
    try:
        with app.state.adding():
            if fresh:
                app.state.containers.add(container)
            app.state.containers.presume(container, presumed)
    except BaseException:
        app.state.runs.over(container.id)
        raise
    return ways


def _leased(app: App, container: Container, nets: Networks, starts: int) -> Ways:
    """Its endpoints in the order of its networks; those with a name of their own keep it from the others."""
    names = {name for item in container.attachments if (name := item.option("endpoint.ifname"))}
    ways = []
    for network, attachment in zip(nets, container.attachments, strict=True):
        one = leasing.endpoint(app, container, network, attachment, starts, names)
        names.add(one.guest_ifname)
        ways.append((network, one))
    return tuple(ways)


def publishes(container: Container) -> bool:
    """Does it ask for ports of the host?"""
    return bool(container.ports or container.publish_all)


def _refuse_running(app: App, container: Container) -> None:
    if app.state.runs.of(container.id):
        raise Conflict(f"container {container.name} is already running", f"see it with: minidock ps, or restart it:"
                       f" minidock restart {container.name}")


def _build(app: App, container: Container, ways: Ways) -> tuple[Ways, int]:
    """Everything but the process; the endpoints with what was lent to them, the port of its name server."""
    facts = app.facts()
    app.engine.build(container.scope, sandbox(container, facts))
    port = naming.prepare(app, container, ways)
    ways = tuple((network, attach(app, container, network, endpoint, facts) if endpoint.wired else endpoint)
                 for network, endpoint in ways)
    if any(endpoint.wired for _, endpoint in ways):
        app.engine.build(exit_scope(container.id), bridge.exits(ways, exit_facts(app, ways, facts)))
    return ways, port


def attach(app: App, container: Container, network: Network, endpoint: Endpoint, facts: Facts) -> Endpoint:
    """Lay the cable; the endpoint with the address that a DHCP server lends it, where one does."""
    facts = app.endpoint_facts(network, facts)
    app.engine.build(endpoint.scope, DRIVERS[network.driver].endpoint(network, endpoint, facts))
    if not network.leases:
        return endpoint
    from minidock.app import dhcp  # most networks have addresses of their own

    return dhcp.lend(app, container, network, endpoint, facts)


def exit_facts(app: App, ways: Ways, facts: Facts) -> Facts:
    """What the plan of the ways out must know of the host."""
    return app.bridge_facts(facts) if any(endpoint.published for _, endpoint in ways) else facts


def _launch(app: App, container: Container, ways: Ways, how: How, port: int) -> None:
    directory = app.state.directory(container)
    process = _process(app, container)
    naming.write_files(app, container, ways)
    app.kernel.forget(container.netns or "-")  # a socket of ours in the sandbox would keep it alive
    found = how.spawn(process, directory, container, app.state.run if port or carried(ways) else "")
    try:
        _let_go(app, container, ways, found, port, process)
    except BaseException:  # Ctrl-C while its program is looked for: it must not outlive its sandbox
        signal_process(found.pid, found.pid_started, signal.SIGKILL)
        wait_gone(found.pid, found.pid_started, 10)
        raise


def carried(ways: Ways) -> bool:
    """Does the helper process carry any of its ports?"""
    return any(item.carried for _, endpoint in ways for item in endpoint.ports)


def _process(app: App, container: Container) -> Process:
    if not container.donor:
        return process_of(container)
    from minidock.app import sharing

    return process_of(container, sharing.donor_of(app, container).netns)


def _let_go(app: App, container: Container, ways: Ways, found: holding.Started, port: int,
            process: Process) -> None:
    run = Run("running", found.pid, found.pid_started, found.monitor, found.monitor_started, "", 0)
    with app.state.running.transaction():
        app.state.runs.started(container, run)
        naming.write_rows(app, container, ways, run, port)
    naming.attend(app, container, port, carried(ways))
    _tell_process(app, container, process)
    try:
        release(found.go, found.failure)
    except CannotRun as error:
        raise CannotRun(error.what, exec_hint(error, container.argv), error.exit_code) from error


_PROCESS_WHY = "The container's process: its own pid, mount, uts and ipc namespaces, Docker's capabilities."


def _tell_process(app: App, container: Container, process: Process) -> None:
    """The process as one command a person could type."""
    inside = ("ip", "netns", "exec", os.path.basename(process.netns)) if process.netns else ()
    own_name = () if container.uts else ("--uts",)
    words = (*inside, "unshare", "--fork", "--pid", "--mount-proc", *own_name, "--ipc", *container.argv)
    app.story.tell_process(container.scope, words, f"process of {container.name}", _PROCESS_WHY)


def process_of(container: Container, netns: str = "") -> Process:
    """What PID 1 shall be, in its own sandbox or in the one named."""
    netns, host_uts = netns or container.netns, bool(container.uts)
    env = {"PATH": _PATH, "HOSTNAME": container.hostname, **({"TERM": "xterm"} if container.tty else {})}
    env.update((key, value) for key, _, value in (word.partition("=") for word in container.env))
    domain = {"kernel.domainname": container.domainname} if container.domainname else {}
    return Process(container.argv, tuple(env.items()), container.hostname,
                   f"/run/netns/{netns}" if netns else "", container.cwd or "/", container.user, container.rootfs,
                   container.binds, container.cap_add, container.cap_drop, container.privileged,
                   (*domain.items(), *container.sysctls), container.init, container.tty, container.stdin_open, host_uts)


def _undo(app: App, container: Container, fresh: bool, error: BaseException) -> None:
    """Take everything back; the error stays the first one."""
    give_back(app, app.state.runs.endpoints(container_id=container.id))
    app.engine.raze(container.scope)
    started = not isinstance(error, CannotRun) or error.exit_code == 125
    if fresh and (started or container.auto_remove):
        forget(app, container)
    else:
        code = error.exit_code if isinstance(error, MinidockError) else 128
        end = End(code, "", "", str(error), 0)
        app.state.containers.ended(container, end)
        if fresh:
            events.container(app, "create", container)
    if app.state.relays.served(container.id):
        with app.state.running.transaction():
            app.state.relays.remove(container.id)
        naming.tell_server(app, wait=True)
    app.state.runs.over(container.id)


def _rehearse(app: App, container: Container, nets: Networks) -> None:
    ways = _leased(app, container, nets, 1)
    if publishes(container):
        from minidock.app import publishing

        ways = publishing.rehearse(app, container, ways)
    _build(app, container, ways)
    _tell_process(app, container, _process(app, container))
