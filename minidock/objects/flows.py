"""Flows: what connection tracking remembers of a published port, to be forgotten when the port comes or goes."""

from __future__ import annotations

from minidock.kernel.handle import Kernel
from minidock.model.ports import PortBinding
from minidock.objects.base import KernelObject

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


class Flows(KernelObject):
    """Flows to a published port: those that pass by its rules, and those that outlive them.

    A plan holds a leaving one before the rules, which forgets when it is unmade, that is after the rules are gone; and
    for UDP another one after them, which forgets when it is made. Connection tracking decides on NAT with a flow's
    first packet only, and a UDP flow has no last one. Source: moby, iptables/conntrack.go.
    """

    binding: PortBinding
    leaving: bool

    @property
    def doubles(self) -> bool:
        return True  # forgotten while the old rules are there, a flow would begin anew by them

    def create(self, kernel: Kernel) -> None:
        if not self.leaving:
            kernel.forget_flows(self.binding)

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        if self.leaving:
            kernel.forget_flows(self.binding)

    def exists(self, kernel: Kernel) -> bool:
        return True  # there is nothing to lose

    def _commands(self) -> tuple[str, ...]:
        it = self.binding
        family = " -f ipv6" if it.ip.version == 6 else ""
        words = []
        for one in it.each:
            at = f" --orig-dst {one.host_ip}" if int(one.host_ip) else ""
            words.append(f"-p {one.proto} --orig-port-dst {one.host_port}{at}")
        return tuple(f"conntrack -D{family} {text} >/dev/null 2>&1 || true" for text in words)

    def shell(self) -> tuple[str, ...]:
        return () if self.leaving else self._commands()

    def shell_undo(self) -> tuple[str, ...]:
        return self._commands() if self.leaving else ()
