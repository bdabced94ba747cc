"""A disposable host for one test, and pictures of what its kernel holds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from subprocess import PIPE
from typing import TypeVar

from minidock.kernel import netns, nft_read, procsys, rtnl, syscalls
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import CREATE, EXCL
from tests.nursery import Born

COMMAND = [sys.executable, "-m", "minidock"]
OUTSIDE = "outside"
T = TypeVar("T")


class Host:
    """The host we stand in: run minidock on it, look at it, leave it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lacking = ""  # what commands shall lack of the kernel (tests/kernel/lacking_kernel.py)
        self.before = set(os.listdir(netns.DIRECTORY))
        self.mark = f"md-{zlib.crc32(bytes(directory)):08x}"  # the name of commands that are born for us
        kernel = Kernel()
        kernel.route().request(rtnl.NEWLINK, 0, rtnl.link(kernel.index("", "lo"), up=True))
        procsys.write("net.ipv4.ip_forward", "0")
        kernel.close()

    def minidock(self, *words: str, check: bool = True, input: str | None = None,
                 **more: object) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would; with `check` it must succeed."""
        streams = {"stdin": None if input is None else PIPE, "stdout": PIPE, "stderr": PIPE, **more}
        with self.start(*words, **streams) as process:
            try:
                told = process.communicate(input, timeout=60)
            except BaseException:
                process.kill()
                raise
        assert not check or process.returncode == 0, f"{words}: {process.returncode}\n{''.join(told)}"
        return subprocess.CompletedProcess(words, process.returncode, *told)

    def start(self, *words: str, **more: object) -> subprocess.Popen[str]:
        """Start the command line and go on."""
        return Born(self.mark, words, lacking=self.lacking, **more)

    def shell(self, line: str, check: bool = True) -> str:
        """What a shell line prints; with `check` it must succeed."""
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def connect_outside(self) -> str:
        """Lay a cable to a namespace that stands for the world outside."""
        netns.create(OUTSIDE)
        kernel = Kernel()
        there = os.open(netns.path(OUTSIDE), os.O_RDONLY)
        body = rtnl.veth("up0", "02:00:00:00:00:02", "eth0", "02:00:00:00:00:01", there, 0, 0, 0)
        kernel.route().request(rtnl.NEWLINK, CREATE | EXCL, body)
        os.close(there)
        for where, dev, text in (("", "up0", "198.51.100.2/24"), (OUTSIDE, "eth0", "198.51.100.1/24"),
                                 (OUTSIDE, "lo", "203.0.113.10/32"), ("", "up0", "2001:db8:100::2/64"),
                                 (OUTSIDE, "eth0", "2001:db8:100::1/64"), (OUTSIDE, "lo", "2001:db8:203::10/128")):
            index = kernel.index(where, dev)
            kernel.route(where).request(rtnl.NEWLINK, 0, rtnl.link(index, up=True))
            kernel.route(where).request(rtnl.NEWADDR, CREATE | EXCL, rtnl.address(index, ip_interface(text)))
        for everything, gateway in (("0.0.0.0/0", "198.51.100.1"), ("::/0", "2001:db8:100::1")):
            route = rtnl.route(ip_network(everything), ip_address(gateway), kernel.index("", "up0"), 4)
            kernel.route().request(rtnl.NEWROUTE, CREATE | EXCL, route)
        kernel.close()
        return OUTSIDE

    def picture(self) -> dict[str, object]:
        """What the kernel holds for this host: links, addresses, rules, sockets, sandboxes and so on."""
        kernel = Kernel()
        try:
            links = kernel.links()
            rules = nft_read.everything(kernel.netfilter())
        finally:
            kernel.close()
        names = {link.index: link.name for link in links}
        return {
            "links": sorted((link.name, link.up, link.group, names.get(link.master, ""), link.alias, link.mac,
                             link.mtu_bytes, link.kind) for link in links),
            "addresses": sorted(line.partition(": ")[2] for line in told("ip -o addr") if " fe80" not in line),
            "routes": [line.replace(" linkdown", "") for line in
                       (*told("ip -4 route show table all"),
                        *(line for line in told("ip -6 route") if "proto kernel" not in line))],
            "rules": _told_rules(rules),
            "sockets": sorted(" ".join(line.split()[i] for i in (0, 4)) for line in told("ss -Htuln")),
            "forwarding": procsys.read("net.ipv4.ip_forward"),
            "sandboxes": sorted(set(os.listdir(netns.DIRECTORY)) - self.before - {OUTSIDE}),
            "mounts": sorted(line for line in Path("/proc/self/mounts").read_text().splitlines()
                             if "/netns/" in line and OUTSIDE not in line),
        }

    def settled(self, wanted: dict[str, object], seconds: float = 10) -> dict[str, object]:
        """The picture, once it equals the wanted one or the time is over: links may die a moment later."""
        return until(self.picture, lambda seen: seen == wanted, seconds)

    def leave(self) -> None:
        """Kill what still runs here and drop its names."""
        self.minidock("system", "reset", "-f", check=False)
        for pid in self.strays():
            os.kill(pid, signal.SIGKILL)
        for name in set(os.listdir(netns.DIRECTORY)) - self.before - {OUTSIDE}:
            netns.delete(name)

    def strays(self) -> list[int]:
        """The processes that carry this host's MINIDOCK_RUN in their environment or arguments, or its mark; we do
        not count."""
        mark, found = str(self.directory).encode(), []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                texts = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm"))
            except OSError:
                continue
            if (mark in texts or self.mark.encode() in texts) and pid != os.getpid():
                found.append(pid)
        return found


def told(command: str) -> list[str]:
    """The lines that a program prints, started without a shell."""
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.splitlines()


@contextlib.contextmanager
def fresh_host(directory: Path) -> Iterator[Host]:
    """Stand on a new host of its own, in the middle of a test: its network namespace, its ROOT and RUN."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    before = {key: os.environ.get(key) for key in ("MINIDOCK_ROOT", "MINIDOCK_RUN")}
    syscalls.unshare(syscalls.CLONE_NEWNET)
    os.environ.update(MINIDOCK_ROOT=f"{directory}/root", MINIDOCK_RUN=f"{directory}/run")
    ground = Host(directory)
    try:
        yield ground
    finally:
        ground.leave()
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        os.close(home)
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def _told_rules(everything: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    """The ruleset without tables and base chains that decide nothing: iptables itself leaves them behind."""
    busy = {row[1:4] for row in everything if row[0] == "rule"}
    return [row for row in everything
            if row[0] == "rule" or (row[0] == "chain" and (not row[4] or row[7] != "ACCEPT" or row[1:4] in busy))]


def until(look: Callable[[], T], good: Callable[[T], bool], seconds: float = 10) -> T:
    """Look again and again until it is good or the time is over; the last look."""
    deadline = time.monotonic() + seconds
    seen = look()
    while not good(seen) and time.monotonic() < deadline:
        time.sleep(0.02)
        seen = look()
    return seen
