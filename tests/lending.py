"""A real DHCP server, dnsmasq, in the neighbour of tests/lan.py: what it lends, and to whom.

    host eth1 ── switch ── eth0 10.77.0.1 neighbour: dnsmasq lends .50 to .99, serves names of the domain lan.example
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minidock.model.record import Record
from tests.ground import Host, until
from tests.lan import NEIGHBOUR, ROUTER, SWITCH

RANGE = "10.77.0.50,10.77.0.99,2m"
DOMAIN = "lan.example"
# T1 and T2 in seconds. dnsmasq lends for two minutes at least, and takes up to seven seconds off T1.
SHORT = ("--dhcp-option=58,2", "--dhcp-option=59,5")
OFTEN = ("--dhcp-option=58,8", "--dhcp-option=59,60")
_OPTIONS = ("--conf-file=/dev/null", "--no-daemon", "--no-ping", "--user=root", "--no-resolv", "--no-hosts",
            "--interface=eth0", "--bind-interfaces", f"--domain={DOMAIN}", f"--address=/printer.{DOMAIN}/10.77.0.9",
            "--log-dhcp")


class Borrowed(Record):
    """A line of the server's lease file."""

    address: str
    mac: str
    name: str
    client: str


class Server:
    """One dnsmasq; it may be ended and started again, and remembers its leases."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "dnsmasq.leases"
        self._log = directory / "dnsmasq.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str, lent: str = RANGE) -> None:
        """Serve."""
        words = ("ip", "netns", "exec", NEIGHBOUR, "dnsmasq", *_OPTIONS, f"--dhcp-leasefile={self._file}",
                 f"--dhcp-range={lent}", *more)
        with open(self._log, "ab") as log:
            began = self._log.stat().st_size
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        assert until(lambda: self.log()[began:].count("DHCP, IP range"), bool), self.log()

    def stop(self) -> None:
        """Serve no more."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def forget(self) -> None:
        """Lose the memory, as a cheap router without power does."""
        self._file.unlink()

    def log(self) -> str:
        """All it said."""
        return self._log.read_text(errors="replace")

    def leases(self) -> dict[str, Borrowed]:
        """What it has lent, by address."""
        rows = [line.split() for line in self._file.read_text().splitlines()] if self._file.exists() else []
        found = [Borrowed(row[2], row[1], row[3], row[4]) for row in rows if len(row) == 5]
        return {one.address: one for one in found}

    def lends_nothing(self) -> bool:
        """Within a second: it writes its file a moment later."""
        return until(lambda: not self.leases(), bool, 1)


@contextmanager
def serving(directory: Path, *more: str, lent: str = RANGE) -> Iterator[Server]:
    """A server that is ended in the end."""
    server = Server(directory)
    server.start(*more, lent=lent)
    try:
        yield server
    finally:
        server.stop()


def make(host: Host, *options: str, name: str = "wire") -> None:
    """A network whose addresses come from the server."""
    words = [word for option in ("parent=eth1", *options) for word in ("-o", option)]
    host.minidock("net", "create", "-d", "macvlan", "--ipam-driver", "dhcp", *words, name)


def address(host: Host, name: str, net: str = "wire") -> str:
    """The address a container has there, as `inspect` says."""
    form = f"{{{{.NetworkSettings.Networks.{net}.IPAddress}}}}"
    return host.minidock("inspect", "-f", form, name).stdout.strip()


__all__ = ["DOMAIN", "OFTEN", "ROUTER", "SHORT", "SWITCH", "Borrowed", "Server", "address", "make", "serving"]
