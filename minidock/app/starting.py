"""Use case: start a container. Lease, sandbox, cable, process; on any failure nothing is left.

    lock container, network (shared)
      rows: run starting, endpoint joining, its leases       one transaction; host ports are bound in it
      container scope: the sandbox                           engine
      endpoint scope: rules, cable, address                  engine
      exit scope: rules of published ports, default route    engine
      process: cloned, waiting for one byte                  sandbox
      rows: pid and start time                               one transaction
      the byte: exec
"""

from __future__ import annotations

import os
import signal
import sys

from minidock.app import events, leasing, naming, networks
from minidock.app.containers import exec_hint, network_of
from minidock.app.context import App, now
from minidock.app.ending import forget
from minidock.app.naming import write_files
from minidock.drivers import DRIVERS, bridge
from minidock.drivers.sandbox import sandbox
from minidock.errors import CannotRun, Conflict, MinidockError, NotFound
from minidock.model.container import Container, End, Run
from minidock.model.network import Endpoint, Network
from minidock.model.process import Process
from minidock.model.record import Record
from minidock.sandbox.liveness import signal_process, start_time, wait_gone
from minidock.sandbox.spawn import close, release, spawn

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Attached:
    """The process is a child of this very command, which pumps its output and waits for it."""

    def __init__(self) -> None:
        self.sockets: list[int] = []  # they hold its host ports until it ends

    def spawn(self, process: Process, directory: str, container: Container, names: str) -> Started:
        """The waiting process; its monitor is this process."""
        self.guard = naming.guard(names)
        self.spawned = spawn(process, directory)
        one = self.spawned
        return Started(one.pid, one.started, os.getpid(), start_time(os.getpid()), one.go, one.failure)


class Detached:
    """The process gets a monitor of its own, which outlives this command."""

    def __init__(self) -> None:
        self.sockets: list[int] = []  # they hold its host ports; the monitor takes them over

    def spawn(self, process: Process, directory: str, container: Container, names: str) -> Started:
        """The waiting process and its monitor, which guards the name server of the RUN directory `names`."""
        from minidock.sandbox.detach import Watch, detach

        watch = Watch(f"{directory}/log", directory, reaper(container), tuple(self.sockets), names)
        found = detach(process, directory, watch)
        let_ports_go(self)
        return Started(*found)


class Started(Record):
    """A process that waits for its byte, and the monitor that waits for the process."""

    pid: int
    pid_started: int
    monitor: int
    monitor_started: int
    go: int
    failure: int


def let_ports_go(how: Attached | Detached) -> None:
    """Close our copies of the sockets that hold host ports: before the rows say that the ports are free."""
    close(*how.sockets)
    how.sockets.clear()


def reaper(container: Container) -> tuple[str, ...]:
    """The command that cleans up after a container, `minidock system reap ID CODE`, wherever minidock lies."""
    parent = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = f"import sys; sys.path.insert(0, {parent!r}); from minidock.cli.main import main; main()"
    return (sys.executable, "-c", program, "system", "reap", container.id)


def start(app: App, container: Container, how: Attached | Detached, fresh: bool) -> None:
    """Start it; `fresh`: the container is made by this very command, and leaves with a failure before its start.

    When it returns, the container's program runs; in a rehearsal nothing does.
    """
    network = network_of(app, container)
    networks.ensure(app, network)
    if app.dry:
        _rehearse(app, container, network)
        return
    with app.state.container_lock(container.id), app.state.network_lock(network, shared=True):
        endpoint = _enter(app, container, network, how, fresh)
        try:
            port = _build(app, container, network, endpoint)
            _launch(app, container, network, endpoint, how, port)
        except BaseException as error:
            let_ports_go(how)
            _undo(app, container, fresh, error)
            raise
        events.started(app, container, [network], fresh)


def _enter(app: App, container: Container, network: Network, how: Attached | Detached, fresh: bool) -> Endpoint:
    """`_write_down`; a failure leaves no host port bound."""
    try:
        return _write_down(app, container, network, how, fresh)
    except BaseException:
        let_ports_go(how)
        raise


def _write_down(app: App, container: Container, network: Network, how: Attached | Detached, fresh: bool) -> Endpoint:
    """That the container starts, its leases: address and host ports; the container's own row if it is new."""
    end = None if fresh else app.state.containers.end_of(container)
    starts = end.starts + 1 if end else 1
    began = now()
    with app.state.running.transaction():
        _refuse_running(app, container)
        if not fresh and app.state.containers.get(container.id) is None:
            raise NotFound(f"No such container: {container.name}", "somebody removed it meanwhile: minidock ps -a")
        endpoint = leasing.endpoint(app, container, network, starts)
        if _publishes(container):
            from minidock.app import publishing  # most containers publish nothing

            endpoint = publishing.publish(app, container, network, endpoint, how.sockets)
        app.state.runs.begin(container, os.getpid(), start_time(os.getpid()), began, starts, fresh)
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
    return endpoint


def _publishes(container: Container) -> bool:
    return bool(container.ports or container.publish_all)


def _refuse_running(app: App, container: Container) -> None:
    if app.state.runs.of(container.id):
        raise Conflict(f"container {container.name} is already running", f"see it with: minidock ps, or restart it:"
                       f" minidock restart {container.name}")


def _build(app: App, container: Container, network: Network, endpoint: Endpoint) -> int:
    """Everything but the process; the port of its name server."""
    facts = app.facts()
    app.engine.build(container.scope, sandbox(container, facts))
    port = naming.prepare(app, container, network)
    if endpoint.address:
        app.engine.build(endpoint.scope, DRIVERS[network.driver].endpoint(network, endpoint, facts))
        if endpoint.published:
            facts = app.bridge_facts(facts)
        app.engine.build(endpoint.exit_scope, bridge.exits(network, endpoint, facts))
    return port


def _launch(app: App, container: Container, network: Network, endpoint: Endpoint, how: Attached | Detached,
            port: int) -> None:
    directory = app.state.directory(container)
    write_files(app, container, network, endpoint)
    app.kernel.forget(container.netns or "-")  # a socket of ours in the sandbox would keep it alive
    found = how.spawn(process_of(container), directory, container, app.state.run if port else "")
    try:
        _let_go(app, container, network, endpoint, found, port)
    except BaseException:  # Ctrl-C while its program is looked for: it must not outlive its sandbox
        signal_process(found.pid, found.pid_started, signal.SIGKILL)
        wait_gone(found.pid, found.pid_started, 10)
        raise


def _let_go(app: App, container: Container, network: Network, endpoint: Endpoint, found: Started, port: int) -> None:
    run = Run("running", found.pid, found.pid_started, found.monitor, found.monitor_started, "", 0)
    with app.state.running.transaction():
        app.state.runs.started(container, run)
        naming.write_rows(app, container, network, endpoint, run, port)
    naming.attend(app, container, network)
    app.story.tell_process(container.scope, process_words(container), f"process of {container.name}", _PROCESS_WHY)
    try:
        release(found.go, found.failure)
    except CannotRun as error:
        raise CannotRun(error.what, exec_hint(error, container.argv), error.exit_code) from error


_PROCESS_WHY = "The container's process: its own pid, mount, uts and ipc namespaces, Docker's capabilities."


def process_words(container: Container) -> tuple[str, ...]:
    """The process as one command a person could type."""
    inside = ("ip", "netns", "exec", container.netns) if container.netns else ()
    return (*inside, "unshare", "--fork", "--pid", "--mount-proc", "--uts", "--ipc", *container.argv)


def process_of(container: Container) -> Process:
    """What PID 1 shall be."""
    env = {"PATH": _PATH, "HOSTNAME": container.hostname, **({"TERM": "xterm"} if container.tty else {})}
    env.update((key, value) for key, _, value in (word.partition("=") for word in container.env))
    return Process(container.argv, tuple(env.items()), container.hostname,
                   f"/run/netns/{container.netns}" if container.netns else "", container.cwd or "/", container.user,
                   container.rootfs, container.binds, container.cap_add, container.cap_drop, container.privileged,
                   container.sysctls, container.init, container.tty, container.stdin_open)


def _undo(app: App, container: Container, fresh: bool, error: BaseException) -> None:
    """Take everything back; the error stays the first one."""
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
    app.state.runs.over(container.id)


def _rehearse(app: App, container: Container, network: Network) -> None:
    endpoint = leasing.endpoint(app, container, network, 1)
    if _publishes(container):
        from minidock.app import publishing

        endpoint = publishing.rehearse(app, container, network, endpoint)
    _build(app, container, network, endpoint)
    app.story.tell_process(container.scope, process_words(container), f"process of {container.name}", _PROCESS_WHY)
