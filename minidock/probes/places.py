"""Where probes start and are looked for: namespaces, containers, their devices. Nothing is read before it is needed.

    host = Place()                   the namespace we stand in
    red = Place("red")               a named one
    web = container("web")           a container's of minidock
    red.eth0                         a device there: red.eth0.mac, red.eth0.up, red.eth0.ip
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess

from minidock.kernel import netns
from minidock.kernel.handle import Kernel, Link
from minidock.kernel.netlink import Refusal
from minidock.kernel.reading import routable_addresses
from minidock.probes.words import Unproven, say

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PATIENCE_SECONDS = 2.0


class Place:
    """A network namespace."""

    def __init__(self, name: str = "", label: str = "", locate: Callable[[], str] | None = None) -> None:
        self.label = label or name or "host"
        self._locate = locate or (lambda: name)

    @property
    def where(self) -> str:
        """Its name in /run/netns, "" for the host's; raises Unproven if it is not there."""
        name = self._locate()
        if name and not netns.is_namespace(name):
            raise Unproven(say("no-place", place=self.label))
        return name

    @property
    def exists(self) -> bool:
        """Is it there?"""
        try:
            return self.where is not None
        except Unproven:
            return False

    @property
    def inode(self) -> int:
        """What tells namespaces apart (man 7 namespaces)."""
        return os.stat(netns.path(self.where)).st_ino

    def __getattr__(self, name: str) -> Device:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.device(name)

    def device(self, name: str) -> Device:
        """A device there, for names that Python cannot spell."""
        return Device(self, name)

    def start(self, argv: list[str]) -> subprocess.Popen[str]:
        """Start a command there, its output in a pipe."""
        with netns.inside(self.where):
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, errors="replace")

    def ask(self, line: str) -> Any:
        """What a shell line prints there; JSON is read (`ip -j …`). "" or [] if it fails."""
        process = self.start(["sh", "-c", line])
        try:
            text = process.communicate(timeout=_PATIENCE_SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            text = process.communicate()[0]
        if text.lstrip()[:1] in ("[", "{"):
            try:
                return json.loads(text)
            except ValueError:
                return text
        return [] if " -j" in line else text

    def sysctl(self, name: str) -> str:
        """A kernel setting as it is there; "" if this kernel does not know it."""
        try:
            with netns.inside(self.where), open("/proc/sys/" + name.replace(".", "/")) as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def knows(self, address: str) -> bool:
        """Has any device there this address?"""
        return any(address == info.get("local") for link in self.ask("ip -j address") for info in link["addr_info"])


class Device:
    """A device in a place."""

    def __init__(self, place: Place, name: str) -> None:
        self.place, self.name = place, name
        self.label = f"{place.label}:{name}"

    @property
    def facts(self) -> dict[str, Any]:
        """All that `ip -d address` says of it; raises Unproven if it is not there."""
        found = self.place.ask(f"ip -j -d address show dev {self.name} 2>/dev/null")
        if not (isinstance(found, list) and found and found[0]):
            raise Unproven(say("no-device", device=self.label))
        facts: dict[str, Any] = next(entry for entry in found if entry)
        return facts

    @property
    def link(self) -> Link:
        """What the kernel says of it, asked without a program; raises Unproven if it is not there."""
        link: Link = self._read(lambda kernel, link: link)
        return link

    def _read(self, look: Callable[[Kernel, Link], Any]) -> Any:
        with contextlib.closing(Kernel()) as kernel:
            try:
                return look(kernel, kernel.link(self.place.where, self.name))
            except Refusal as refusal:
                if refusal.errno != errno.ENODEV:
                    raise
                raise Unproven(say("no-device", device=self.label)) from refusal

    @property
    def exists(self) -> bool:
        """Is it there?"""
        try:
            return bool(self.link)
        except Unproven:
            return False

    @property
    def mac(self) -> str:
        """Its hardware address."""
        return self.link.mac

    @property
    def up(self) -> bool:
        """Set up by its administrator, and connected."""
        try:
            link = self.link
        except Unproven:
            return False
        return link.up and link.carrier

    @property
    def mtu(self) -> int:
        """The largest packet in bytes."""
        return self.link.mtu_bytes

    @property
    def addresses(self) -> list[str]:
        """With their prefix lengths, without those of scope link: 10.0.7.1/24."""
        found: list[Any] = self._read(lambda kernel, link: routable_addresses(kernel, self.place.where, link.index))
        return [str(one) for one in found]

    @property
    def ip(self) -> str:
        """Its first IPv4 address."""
        found = [text.partition("/")[0] for text in self.addresses if ":" not in text]
        if not found:
            raise Unproven(say("no-address", device=self.label))
        return found[0]

    @property
    def master(self) -> str:
        """The bridge it is a port of, or ""."""
        names: list[str] = self._read(lambda kernel, link: [
            other.name for other in kernel.links(self.place.where) if other.index == link.master])
        return (names or [""])[0]


def container(name: str) -> Place:
    """The sandbox of a running container of minidock."""
    def locate() -> str:
        from minidock.store import glance

        found = glance.sandbox(name)
        if not found:
            raise Unproven(say("no-place", place=name))
        return found

    return Place(name, name, locate)
