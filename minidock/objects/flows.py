"""Flows: what connection tracking remembers of a container, to be forgotten when its ports come or go."""

from __future__ import annotations

from ipaddress import IPv4Address

from minidock.kernel import conntrack
from minidock.kernel.handle import Kernel
from minidock.model.ports import PortBinding
from minidock.objects.base import KernelObject

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


class Flows(KernelObject):
    """Flows from and to a container, and those of its UDP host ports.

    A plan holds two: one after the rules, which forgets when it is made, and a leaving one before them, which forgets
    when it is unmade, that is after the rules are gone. Connection tracking decides on NAT with a flow's first packet
    only, and a UDP flow has no last one. Source: moby, iptables/conntrack.go.
    """

    address: IPv4Address  # the container's
    bindings: tuple[PortBinding, ...]
    leaving: bool

    def create(self, kernel: Kernel) -> None:
        if not self.leaving:
            self._forget(kernel)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        if self.leaving:
            self._forget(kernel)

    def exists(self, kernel: Kernel) -> bool:
        return True  # there is nothing to lose

    def _udp(self) -> tuple[PortBinding, ...]:
        return tuple(binding for binding in self.bindings if binding.proto == "udp")

    def _forget(self, kernel: Kernel) -> None:
        places = [(binding.host_ip.packed, binding.host_port, binding.host_last) for binding in self._udp()]
        conntrack.forget(kernel.netfilter(), self.address.packed, places)

    def _commands(self) -> tuple[str, ...]:
        words = [f"--orig-src {self.address}", f"--reply-src {self.address}"]
        for single in (single for binding in self._udp() for single in binding.each):
            at = f" --orig-dst {single.host_ip}" if int(single.host_ip) else ""
            words.append(f"-p udp --orig-port-dst {single.host_port}{at}")
        return tuple(f"conntrack -D {text} >/dev/null 2>&1 || true" for text in words)

    def shell(self) -> tuple[str, ...]:
        return () if self.leaving else self._commands()

    def shell_undo(self) -> tuple[str, ...]:
        return self._commands() if self.leaving else ()
