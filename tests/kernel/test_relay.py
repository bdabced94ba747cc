"""Relayed ports on the real kernel: a process that holds the socket as a monitor does, a server in the sandbox."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minidock.dns import bell, process
from minidock.dns.loop import Loop
from minidock.dns.relay_udp import UdpRelay
from minidock.kernel import netns, portsockets
from tests.ground import Host, until
from tests.kernel.dns_stage import GUEST, HOST_END, SANDBOX, Stage, stage, started

CONTAINER, PORT = "c1", 8080
_MONITOR = f"""
import socket, sys, time
from minidock.kernel import portsockets
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    portsockets.deafen(made)
    made.bind(("::", {PORT}))
    if kind == socket.SOCK_STREAM:
        made.listen(1)
    made.detach()
print(flush=True)
time.sleep(1000)
"""


class Ground:
    """A stage, a stand-in for the monitor, and servers in the sandbox."""

    def __init__(self, made: Stage) -> None:
        self.stage, self.run = made, made.run
        self.monitor = subprocess.Popen([sys.executable, "-c", _MONITOR], stdout=subprocess.PIPE, text=True)
        assert self.monitor.stdout and self.monitor.stdout.readline() == "\n"
        self.served: list[tuple[str, int]] = []  # the clients that the server in the sandbox saw
        self._closing: list[socket.socket] = []

    def relay(self, proto: str = "tcp", attend: bool = True) -> None:
        """Write the rows, and see to the process."""
        pid = self.monitor.pid
        self.stage.sql.execute("INSERT OR REPLACE INTO running VALUES (?, 'running', ?, ?)",
                               (CONTAINER, pid, started(pid)))
        self.stage.sql.execute("INSERT INTO relays VALUES (?, ?, '::', ?, ?, 80)", (CONTAINER, proto, PORT, GUEST))
        if attend:
            process.attend(self.run, CONTAINER)

    def unrelay(self) -> None:
        """Delete the rows, and wait until that is heard."""
        self.stage.sql.execute("DELETE FROM relays")
        assert bell.ring(self.run, "") == ""

    def server(self, serve: Callable[[socket.socket], None]) -> None:
        """A TCP server in the sandbox, a thread for each connection."""
        listener = self._bound(socket.SOCK_STREAM)
        listener.listen(512)
        threading.Thread(target=self._accepting, args=(listener, serve), daemon=True).start()

    def _accepting(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, peer = listener.accept()
                self.served.append(peer)
                threading.Thread(target=_quietly, args=(serve, stream), daemon=True).start()

    def _bound(self, kind: int) -> socket.socket:
        with netns.inside(SANDBOX):
            made = socket.socket(type=kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((GUEST, 80))
        self._closing.append(made)
        return made

    def echo(self) -> None:
        """A UDP server in the sandbox that says everything again."""
        mine = self._bound(socket.SOCK_DGRAM)

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    text, peer = mine.recvfrom(65535)
                    if not peer:  # shut down
                        return
                    self.served.append(peer)
                    mine.sendto(text, peer)

        threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        """End all."""
        for one in self._closing:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.stage.sql.execute("DELETE FROM relays")
        self.monitor.kill()
        self.monitor.communicate()


def _quietly(serve: Callable[[socket.socket], None], stream: socket.socket) -> None:
    with contextlib.suppress(OSError), stream:
        serve(stream)


def echo(stream: socket.socket) -> None:
    """Say again what comes."""
    while text := stream.recv(65536):
        stream.sendall(text)


def at_the_end(stream: socket.socket) -> None:
    """Say how much came, once nothing more comes."""
    total = 0
    while text := stream.recv(65536):
        total += len(text)
    stream.sendall(b"%d" % total)


def connected(address: str = "::1", seconds: float = 5) -> socket.socket:
    """A client on the host."""
    return socket.create_connection((address, PORT), timeout=seconds)


def read_all(stream: socket.socket) -> bytes:
    """Until it ends."""
    return b"".join(iter(lambda: stream.recv(65536), b""))


def said(text: bytes) -> bytes:
    """What an echo through the relay says."""
    with connected() as client:
        threading.Thread(target=_quietly, args=(lambda one: _send(one, text), client.dup()), daemon=True).start()
        return read_all(client)


def _send(one: socket.socket, text: bytes) -> None:
    one.sendall(text)
    one.shutdown(socket.SHUT_WR)


@pytest.fixture
def ground(host: Host, tmp_path: Path) -> Iterator[Ground]:
    """A sandbox, and a process that holds port 8080 of [::]."""
    with stage(host, tmp_path) as made:
        one = Ground(made)
        try:
            yield one
            log = Path(f"{one.run}/dns.log")
            assert not log.exists() or log.read_text() == ""
        finally:
            one.close()


def test_bytes_come_through_both_ways_and_ends_too(ground: Ground) -> None:
    """A megabyte each way; the container sees the gateway as its client, as with docker-proxy."""
    ground.server(echo)
    with pytest.raises(TimeoutError):
        connected(seconds=0.5)  # held, not served: the filter drops it
    ground.relay()
    text = random.Random(1).randbytes(1 << 20)
    assert said(text) == text
    assert {address for address, _ in ground.served} == {HOST_END}


def test_a_half_closed_connection_goes_on(ground: Ground) -> None:
    """The answer is only said after the client's end."""
    ground.server(at_the_end)
    ground.relay()
    with connected() as client:
        client.sendall(b"x" * 100_000)
        assert not select.select([client], [], [], 0.2)[0]
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"100000"


def test_who_reads_slowly_is_waited_for_in_bounded_memory(ground: Ground) -> None:
    """Thirty megabytes for a client that does not read: the sender stands still, the process does not grow."""
    sent = [0]

    def pour(stream: socket.socket) -> None:
        for _ in range(480):
            stream.sendall(bytes(1 << 16))
            sent[0] += 1 << 16

    ground.server(pour)
    ground.relay()
    with connected() as client:
        until(lambda: sent[0], lambda now: now > 1 << 20)
        before = until(lambda: sent[0], lambda now: standing_still(sent, now))
        assert 1 << 16 < before < 480 << 16
        assert private_kilobytes(ground.stage.server_pid()) < 8000
        assert cpu_ticks(ground.stage.server_pid(), 0.5) <= 5  # it sleeps meanwhile
        assert len(read_all(client)) == 480 << 16


def standing_still(count: list[int], now: int) -> bool:
    """Is it the same a while later?"""
    time.sleep(0.3)
    return count[0] == now


def private_kilobytes(pid: int) -> int:
    """The memory that is a process's own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def cpu_ticks(pid: int, seconds: float) -> int:
    """What a process uses of the processor in that time, in 1/100 s."""
    def used() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(seconds)
    return used() - before


def test_many_connections_at_once(ground: Ground) -> None:
    """Two hundred, all open at the same time, each with its own bytes."""
    ground.server(echo)
    ground.relay()
    clients = [connected() for _ in range(200)]
    texts = [random.Random(number).randbytes(20_000) for number in range(200)]
    for client, text in zip(clients, texts, strict=True):
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
    assert [read_all(client) for client in clients] == texts
    for client in clients:
        client.close()


def test_a_target_that_refuses_resets_the_client(ground: Ground) -> None:
    """So does one that breaks off later, and a client that does so is told to the server."""
    ground.relay()
    with pytest.raises(ConnectionResetError), connected() as client:  # maybe before connect(2) has returned
        client.recv(1)
    ended = threading.Event()

    def break_off(stream: socket.socket) -> None:
        asked = stream.recv(1)
        if asked == b"r":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with pytest.raises(ConnectionResetError):
            stream.recv(1)
        ended.set()

    ground.server(break_off)
    with connected() as client:
        client.sendall(b"r")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected() as client:
        client.sendall(b"w")
        time.sleep(0.1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ended.wait(5)


def test_killed_under_load_it_comes_back_and_serves_the_queue(ground: Ground) -> None:
    """Connections made while nobody is there wait in the kernel."""
    ground.server(echo)
    ground.relay()
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                said(b"x" * 200_000)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    pid = ground.stage.server_pid()
    os.kill(pid, signal.SIGKILL)
    waiting = [connected() for _ in range(20)]
    for client in waiting:
        client.sendall(b"are you there?")
        client.shutdown(socket.SHUT_WR)
    assert not select.select(waiting, [], [], 0.3)[0]
    process.attend(ground.run, CONTAINER)
    assert [read_all(client) for client in waiting] == [b"are you there?"] * 20
    assert ground.stage.server_pid() != pid
    stop.set()
    for thread in threads:
        thread.join()


def test_whatever_clients_and_servers_do_nothing_is_left(ground: Ground) -> None:
    """Half a thousand connections that end in every way at any time: the process stays, its descriptors do not."""
    chance = random.Random(3)

    def misbehave(stream: socket.socket) -> None:
        stream.settimeout(0.3)
        deeds: list[Callable[[], object]] = [
            lambda: stream.recv(30_000), lambda: stream.sendall(bytes(chance.randrange(100_000))),
            lambda: stream.shutdown(socket.SHUT_WR), lambda: time.sleep(0.01)]
        for _ in range(chance.randrange(4)):
            chance.choice(deeds)()
        if chance.random() < 0.5:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def clients() -> None:
        for _ in range(64):
            with contextlib.suppress(ConnectionResetError):
                _quietly(misbehave, connected())

    ground.server(misbehave)
    ground.relay()
    pid = ground.stage.server_pid()
    before = len(os.listdir(f"/proc/{pid}/fd"))
    threads = [threading.Thread(target=clients) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert until(lambda: len(os.listdir(f"/proc/{pid}/fd")), lambda now: now == before) == before
    assert len(ground.served) > 400 and ground.stage.server_pid() == pid


def test_without_its_row_nothing_comes_through(ground: Ground) -> None:
    """Open connections are reset, new ones dropped; with the row again all is well, and without any the server ends."""
    ground.server(echo)
    ground.relay()
    with connected() as client:
        client.sendall(b"before")
        assert client.recv(100) == b"before"
        ground.unrelay()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    count = len(ground.served)
    with pytest.raises(TimeoutError):
        connected(seconds=0.5)
    assert len(ground.served) == count
    ground.relay()
    assert said(b"again") == b"again"
    ground.unrelay()
    assert until(ground.stage.server_pid, lambda pid: not pid) == 0


def test_the_port_is_free_when_its_monitor_has_died(ground: Ground) -> None:
    """The borrowed duplicate does not outlive it."""
    ground.server(echo)
    ground.relay()
    assert said(b"one") == b"one"
    ground.monitor.kill()
    ground.monitor.wait()

    def bound() -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as mine:
            mine.bind(("::", PORT))
            return True
        return False

    assert until(bound, bool, 2)


def test_rows_before_the_socket_and_of_another_process(ground: Ground) -> None:
    """What is not there yet is looked for again; a pid with another start time is another process."""
    ground.server(echo)
    ground.relay(attend=False)
    ground.stage.sql.execute("UPDATE running SET monitor_started = monitor_started + 1")
    process.attend(ground.run, CONTAINER)
    with pytest.raises(TimeoutError):
        connected(seconds=0.5)
    ground.stage.sql.execute("UPDATE running SET monitor_started = monitor_started - 1")
    with until_connected() as client:
        client.sendall(b"now")
        assert client.recv(10) == b"now"


def until_connected() -> socket.socket:
    """A connection, within the tick in which the process looks by itself."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return connected(seconds=0.5)
        except TimeoutError:
            assert time.monotonic() < deadline


def test_datagrams_find_their_way_back(ground: Ground) -> None:
    """From the address that was asked, to each client its own; and again after the process was killed."""
    ground.stage.host.shell("ip -6 addr add fd00:9::1/128 dev lo nodad; ip -6 addr add fd00:9::2/128 dev lo nodad")
    ground.echo()
    ground.relay("udp")
    for _ in range(2):
        ground.served.clear()
        clients = [datagrams(address) for address in ("::1", "fd00:9::1", "fd00:9::2") for _ in range(5)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        assert [client.recv(100) for client in clients] == [b"%d" % number for number in range(15)]
        clients[0].send(bytes(40_000))
        assert clients[0].recv(65535) == bytes(40_000)
        assert len(set(ground.served)) == 15 and {peer[0] for peer in ground.served} == {HOST_END}
        os.kill(ground.stage.server_pid(), signal.SIGKILL)
        clients[1].send(b"queued")
        process.attend(ground.run, CONTAINER)
        assert clients[1].recv(100) == b"queued"


def datagrams(address: str) -> socket.socket:
    """A client that takes answers from the address it asks only."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.settimeout(5)
    made.connect((address, PORT))
    return made


def test_a_silent_client_is_forgotten(ground: Ground) -> None:
    """And one that speaks is not; the target sees the same port as long as it is known."""
    ground.echo()
    loop = Loop()
    held = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    portsockets.deafen(held)
    held.bind(("::1", PORT + 1))
    relay = UdpRelay(loop, held, (GUEST, 80), idle_seconds=0.4)

    def ask(wait: float) -> tuple[str, int]:
        with contextlib.closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as knock:
            knock.sendto(b"", ("::1", PORT + 2))  # nobody's: the loop below ends by time alone
        client.send(b"x")
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            loop.patience_of(0.02).start("tick", lambda: None)
            loop.turn()
        assert client.recv(10) == b"x"
        return ground.served[-1]

    client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    client.settimeout(1)
    client.connect(("::1", PORT + 1))
    first = ask(0.2)
    assert ask(0.2) == first and ask(0.2) == first  # 0.6 s in all, never 0.4 of silence
    assert ask(0.7) == first  # forgotten in the end of this
    assert ask(0.2) != first
    relay.close()
    client.close()
