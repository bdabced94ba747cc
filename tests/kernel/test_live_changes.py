"""Networks and ports changed while a container runs: who watches, who refuses, who stands in nobody's way."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from minidock.store.locks import locked
from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, rows
from tests.kernel.live_stage import NETS, live_picture, settled_live_picture, unlike

OPEN = ("net", "create", "open", "--ipv6", "-o", "com.docker.network.bridge.gateway_mode_ipv6=routed")
NO_RELAY = ("-o", "com.docker.network.bridge.ipv6_relay=false")  # nobody carries IPv6 to containers without it
TWO = ("--net", "name=open,gw-priority=1", "--net", "back", "-p", "8080:80")


@pytest.fixture
def ready(host: Host) -> Iterator[Host]:
    """Four networks, no container. On `open` nothing of the host is published for IPv6."""
    for words in (*NETS, OPEN):
        host.minidock(*words)
    yield host
    host.minidock("rm", "-f", "web", check=False)


def run(host: Host, *words: str) -> int:
    """A container named web; its monitor."""
    host.minidock("run", "-d", "--name", "web", *words, "sleep", "600")
    ((monitor,),) = rows(host.directory / "run/run.db", "SELECT monitor FROM running")
    return int(monitor)


def watched(pid: int) -> int:
    """How many processes it watches."""
    return sum(os.readlink(entry) == "anon_inode:[pidfd]" for entry in Path(f"/proc/{pid}/fd").iterdir())


def ticks(pid: int) -> int:
    """The processor time it has used, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_monitor_told_often_guards_one_name_server(ready: Host) -> None:
    """However often it is told; it goes on to the next server, and rests; without names it watches its container only.
    """
    monitor = run(ready, "--net", "br0")
    for _ in range(3):
        ready.minidock("net", "connect", "back", "web")
        ready.minidock("net", "disconnect", "back", "web")
    assert until(lambda: watched(monitor), lambda count: count == 2) == 2
    first = int((ready.directory / "run/locks/dns").read_text())
    os.kill(first, signal.SIGKILL)
    assert until(lambda: (ready.directory / "run/locks/dns").read_text(), lambda text: text not in ("", str(first)))
    assert until(lambda: watched(monitor), lambda count: count == 2) == 2
    used = ticks(monitor)
    until(lambda: 0, bool, 0.5)
    assert ticks(monitor) - used <= 5
    ready.minidock("net", "connect", "bridge", "web")
    ready.minidock("net", "disconnect", "br0", "web")
    assert until(lambda: watched(monitor), lambda count: count == 1) == 1


def test_a_disconnection_that_would_need_a_strangers_port_is_refused(ready: Host) -> None:
    """The next network would offer the port on IPv6 too, where a program has it. All stays; control: without it."""
    run(ready, *TWO)
    before = settled_live_picture(ready)
    with closing(socket.create_server(("::", 8080), family=socket.AF_INET6)):
        with_stranger = {**before, "sockets": live_picture(ready)["sockets"]}
        done = ready.minidock("net", "disconnect", "open", "web", check=False)
        assert done.returncode == 4
        assert "failed to bind host port [::]:8080/tcp: address already in use by" in done.stderr
        assert (seen := live_picture(ready)) == with_stranger, unlike(seen, with_stranger)
        assert ready.minidock("ps").stderr == ""
    assert settled_live_picture(ready) == before
    ready.minidock("net", "disconnect", "open", "web")
    assert disagreements(ready) == []
    assert "tcp [::]:8080" in live_picture(ready)["sockets"]  # type: ignore[operator]


def test_a_connection_that_would_need_a_strangers_port_is_taken_back(ready: Host) -> None:
    """The new network would offer the port on IPv6 too. Control: without the stranger it does."""
    ready.minidock("net", "create", "four", *NO_RELAY)
    run(ready, "--net", "four", "-p", "8080:80")
    before = settled_live_picture(ready)
    with closing(socket.create_server(("::1", 8080), family=socket.AF_INET6)):
        done = ready.minidock("net", "connect", "back", "web", check=False)
        assert done.returncode == 4
        assert "failed to bind host port [::]:8080/tcp: address already in use by" in done.stderr
    seen = until(lambda: live_picture(ready), lambda look: look == before)
    assert seen == before, unlike(seen, before)
    ready.minidock("net", "connect", "back", "web")
    assert disagreements(ready) == []
    assert "tcp [::]:8080" in live_picture(ready)["sockets"]  # type: ignore[operator]


def test_a_port_moves_from_every_address_to_one_and_back(ready: Host) -> None:
    """The next network publishes on 127.0.0.1 only: the monitor lets go of what it holds on every address first."""
    ready.minidock("net", "create", "four", *NO_RELAY)
    ready.minidock("net", "create", "near", *NO_RELAY, "-o", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1")
    run(ready, "--net", "name=four,gw-priority=1", "--net", "near", "-p", "8080:80")
    for words, address in ((("disconnect",), "127.0.0.1"), (("connect", "--gw-priority", "1"), "0.0.0.0")):
        ready.minidock("net", *words, "four", "web")
        assert ready.minidock("port", "web").stdout == f"80/tcp -> {address}:8080\n"
        assert disagreements(ready) == []
        assert live_picture(ready)["sockets"] == [f"tcp {address}:8080"]


def test_what_cannot_be_settled_stands_in_nobodys_way(ready: Host) -> None:
    """A killed disconnection whose port a stranger has now: told by each command, which goes on with its own work."""
    run(ready, *TWO)
    with closing(socket.create_server(("::", 8080), family=socket.AF_INET6)):
        with locked(f"{ready.directory}/run/run.db.lock"):
            _leave_half_disconnected(ready)
        done = ready.minidock("run", "--rm", "--net", "side", "true")
        assert "web: a change of its networks or ports was interrupted: it cannot be settled yet: " in done.stderr
        assert "failed to bind host port [::]:8080/tcp" in done.stderr
    assert "was interrupted: settled" in ready.minidock("ps").stderr
    assert disagreements(ready) == []
    assert ready.minidock("ps").stderr == ""


def _leave_half_disconnected(host: Host) -> None:
    """As a command killed after its first transaction does."""
    with closing(sqlite3.connect(host.directory / "run/run.db")) as sql:
        sql.execute("UPDATE endpoints SET state = 'leaving' WHERE position = 0")
        sql.execute("UPDATE running SET unsettled = 1")
        sql.commit()
