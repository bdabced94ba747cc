"""A stage for the name server: a sandbox with a cable to the host, the tables, and upstream servers that play roles."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from minidock.dns import process, tables, wire
from minidock.dns.zones import Client, Upstream
from minidock.kernel import netns
from tests.ground import Host

SANDBOX, PORT = "md-dnstest", 61001
GUEST, HOST_END = "10.9.0.2", "10.9.0.1"
NET = (("n1", "net1"),)
SCHEMA = Path(tables.__file__).with_name("tables.sql").read_text()
Role = Callable[[bytes], bytes | None]


def answering(address: str) -> Role:
    """An upstream that knows every name."""
    def role(query: bytes) -> bytes:
        asked = wire.question(query)
        assert asked is not None
        return wire.reply(query, asked.end, wire.record(1, 60, socket.inet_aton(address)), 1)
    return role


def failing(code: int) -> Role:
    """An upstream that answers with an error."""
    def role(query: bytes) -> bytes:
        asked = wire.question(query)
        assert asked is not None
        return wire.reply(query, asked.end, code=code)
    return role


def silent(query: bytes) -> None:
    """An upstream that never answers."""


class Server:
    """An upstream at port 53 of an address in a namespace; remembers who asked, over what."""

    def __init__(self, where: str, address: str, role: Role) -> None:
        self.role, self.asked = role, list[tuple[str, str]]()
        with netns.inside(where):
            self._udp, self._tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
        for one in (self._udp, self._tcp):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, 53))
        self._tcp.listen(64)
        self._streams: list[socket.socket] = []
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            ready = select.select([self._udp, self._tcp, self._stop], [], [])[0]
            if self._stop in ready:
                return
            if self._udp in ready:
                query, peer = self._udp.recvfrom(4096)
                self.asked.append((peer[0], "udp"))
                answer = self.role(query)
                if answer:
                    self._udp.sendto(answer, peer)
            if self._tcp in ready:
                self._stream()

    def _stream(self) -> None:
        stream, peer = self._tcp.accept()
        self._streams.append(stream)
        self.asked.append((peer[0], "tcp"))
        answer = self.role(stream.recv(4096)[2:])
        if answer:
            framed = len(answer).to_bytes(2, "big") + answer
            for piece in (framed[:1], framed[1:20], framed[20:]):  # a frame may come in pieces
                stream.sendall(piece)
                time.sleep(0.01)

    def close(self) -> None:
        """Fall silent."""
        os.write(self._stopped, b"x")
        self._thread.join()
        for one in (self._udp, self._tcp, *self._streams):
            one.close()
        os.close(self._stop)
        os.close(self._stopped)


class Stage:
    """One sandbox with a process in it, and a writer of the tables."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host, self.run = host, str(directory / "run")
        os.makedirs(f"{self.run}/locks")
        self.sql = sqlite3.connect(f"{self.run}/run.db", isolation_level=None)
        self.sql.execute("PRAGMA journal_mode=WAL")
        self.sql.executescript(SCHEMA)
        netns.create(SANDBOX)
        host.shell(f"ip link add vdns type veth peer name eth0 netns {SANDBOX};"
                   f"ip addr add {HOST_END}/24 dev vdns; ip link set vdns up; ip -n {SANDBOX} link set lo up;"
                   f"ip -n {SANDBOX} addr add {GUEST}/24 dev eth0; ip -n {SANDBOX} link set eth0 up")
        self.process = subprocess.Popen(["sleep", "1000"])
        self.servers: list[Server] = []

    def name(self, name: str, address: str, container: str = "c1", network: str = "n1") -> None:
        """Write one name."""
        self.sql.execute("INSERT INTO names VALUES (?, ?, ?, ?, '')", (network, name, container, address))

    def container(self, *upstreams: tuple[str, str], attend: bool = True, **more: object) -> None:
        """Write the container's row, and see to its server."""
        asked = tuple(Upstream(place, address) for place, address in upstreams)
        client = Client("me", NET, upstreams=asked).but(**more)
        pid = self.process.pid
        self.sql.execute("INSERT OR REPLACE INTO resolvers VALUES ('me', ?, ?, ?, ?, ?)",
                         (SANDBOX, pid, started(pid), PORT, tables.packed_config(client)))
        if attend:
            process.attend(self.run, "me")

    def upstream(self, where: str, address: str, role: Role) -> Server:
        """Put an upstream somewhere."""
        made = Server(where, address, role)
        self.servers.append(made)
        return made

    def dig(self, *words: str, port: int = PORT) -> str:
        """What dig prints when asked inside the sandbox."""
        return self.host.shell(f"ip netns exec {SANDBOX} dig +tries=1 +time=14 -p {port} @127.0.0.11 {' '.join(words)}")

    def socket(self, stream: bool = False) -> socket.socket:
        """A client in the sandbox, connected to the server."""
        with netns.inside(SANDBOX):
            made = socket.socket(type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        made.settimeout(5)
        made.connect(("127.0.0.11", PORT))
        return made

    def server_pid(self) -> int:
        """The server's process, 0 if there is none."""
        for pid in self.host.strays():
            with contextlib.suppress(OSError):
                if b"minidock.dns.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return 0

    def close(self) -> None:
        """End the container and the upstreams; without rows the server ends too."""
        self.sql.execute("DELETE FROM resolvers")
        self.sql.close()
        for server in self.servers:
            server.close()
        self.process.kill()
        self.process.wait()
        pid = self.server_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
        netns.delete(SANDBOX)


def started(pid: int) -> int:
    """When the process was started, in clock ticks since boot."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@contextlib.contextmanager
def stage(host: Host, directory: Path) -> Iterator[Stage]:
    """A stage, taken down in the end."""
    made = Stage(host, directory)
    try:
        yield made
    finally:
        made.close()
