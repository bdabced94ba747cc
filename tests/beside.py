"""The real ufw, firewalld, systemd-networkd and NetworkManager on a test's host, as if they were installed there.

scripts/test has unpacked them; overlays lay them over /usr, /etc and /var/lib, for this process and its children
only. Their D-Bus is a private one. What they write goes to a tmpfs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from minidock.kernel import syscalls
from tests.ground import Host, until

_HOME = Path(sys.prefix) / "neighbours"
FILES = Path(__file__).resolve().parent.parent / "scripts/beside"
_RUN = ("dbus", "over", "systemd", "NetworkManager", "firewalld", "ufw.lock")
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow send_type="method_call"/><allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>
"""


class Beside:
    """A host with these programs installed; none of them runs yet."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *words: str, ready: Callable[[], bool], **environment: str) -> None:
        """Start a program that stays, and wait until it is ready."""
        with open(self.host.directory / f"{name}.log", "wb") as log:
            program = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={**os.environ, **environment})
        self._running.append(program)
        assert until(ready, bool, 15) and program.poll() is None, (self.host.directory / f"{name}.log").read_text()

    def start_bus(self) -> None:
        """A system bus of our own."""
        os.makedirs("/run/dbus")
        config = self.host.directory / "bus.conf"
        config.write_text(_BUS)
        self.start("dbus", "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                   ready=lambda: os.path.exists("/run/dbus/system_bus_socket"))

    def install_ufw(self) -> None:
        """What Debian's package does after unpacking."""
        for pattern in ("iptables/*.rules", "*.init", "ufw.conf"):
            for file in Path("/usr/share/ufw").glob(pattern):
                shutil.copy(file, "/etc/ufw")

    def start_firewalld(self, backend: str) -> None:
        """It takes the firewall over: its default zone rejects what nobody allowed."""
        config = Path("/etc/firewalld/firewalld.conf")
        config.write_text(config.read_text().replace("FirewallBackend=nftables", f"FirewallBackend={backend}"))
        self.start_bus()
        self.start("firewalld", "firewalld", "--nofork", "--nopid", "--log-target=console",
                   ready=lambda: self.host.shell("firewall-cmd --state", check=False) == "running\n")

    def start_networkd(self, *configuration: str) -> None:
        """With these files; ready when it has begun with every device it will have."""
        for directory in ("network", "netif/links", "netif/leases", "netif/lldp"):
            os.makedirs(f"/run/systemd/{directory}")
        self.host.shell("chmod -R a+rwX /run/systemd/netif")
        for number, text in enumerate(configuration):
            Path(f"/run/systemd/network/{number}.network").write_text(text)
        self.start_bus()
        self.start("networkd", "/usr/lib/systemd/systemd-networkd", SYSTEMD_LOG_LEVEL="debug",
                   SYSTEMD_LOG_TARGET="console",
                   ready=lambda: "up0" in self.host.shell("networkctl list --no-legend 2>/dev/null", check=False))

    def start_network_manager(self, *configuration: str) -> None:
        """With these files beside the distribution's."""
        for number, text in enumerate(("[keyfile]\nunmanaged-devices=interface-name:up0\n[main]\ndns=none\n",
                                       *configuration)):
            Path(f"/etc/NetworkManager/conf.d/{number}.conf").write_text(text)
        self.start_bus()
        self.start("NetworkManager", "NetworkManager", "--no-daemon",
                   ready=lambda: self.host.shell("nmcli -t -f STARTUP general 2>/dev/null", check=False) == "started\n")

    def stop(self) -> None:
        """End what was started, the last one first."""
        while self._running:
            program = self._running.pop()
            program.kill()
            program.wait()


@contextlib.contextmanager
def installed(host: Host) -> Iterator[Beside]:
    """Stand in a mount namespace in which the programs are installed; minidock leaves with them."""
    home, directory = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), os.getcwd()
    syscalls.unshare(syscalls.CLONE_NEWNS)
    beside = Beside(host)
    try:
        _lay()
        yield beside
    finally:
        beside.stop()
        host.minidock("system", "reset", "-f", check=False)
        syscalls.setns(home, syscalls.CLONE_NEWNS)
        os.close(home)
        os.chdir(directory)
        for name in _RUN:
            shutil.rmtree(f"/run/{name}", ignore_errors=True)


def _lay() -> None:
    syscalls.mount("overlay", "/usr", "overlay", 0, f"lowerdir={_HOME}/root/usr:/usr")
    for path in ("etc", "var/lib"):
        upper, work = (f"/run/over/{path}/{part}" for part in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        syscalls.mount("overlay", f"/{path}", "overlay", 0,
                       f"lowerdir={_HOME}/root/{path}:/{path},upperdir={upper},workdir={work}")
    syscalls.mount("sysfs", "/sys", "sysfs", syscalls.MS_RDONLY)  # read-only: do not wait for udev, which is not there
    for file, line in (("passwd", "systemd-network:x:998:998::/:/bin/false"), ("group", "systemd-network:x:998:")):
        text = Path(f"/etc/{file}").read_text()
        if "systemd-network:" not in text:
            Path(f"/etc/{file}").write_text(f"{text}{line}\n")
    os.makedirs("/etc/NetworkManager/conf.d", exist_ok=True)
