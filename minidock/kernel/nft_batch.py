"""One nf_tables transaction: messages that come true together or not at all.

Only what went wrong answers, and what asked to be echoed; each answer carries the sequence number of its
message, so a refusal is told as the command it stands for (net/netfilter/nfnetlink.c, nfnetlink_rcv_batch).
"""

from __future__ import annotations

import errno
import struct

from minidock.errors import KernelRefused
from minidock.kernel import iptables
from minidock.kernel.netlink import (
    REQUEST,
    NetlinkSocket,
    Refusal,
    attribute,
    attributes,
    message,
    refusal_in,
)
from minidock.kernel.nft_read import FAMILIES, NEWRULE, handle_of, header
from minidock.model.firewall import Chain, Policy, Rule

NEWTABLE, NEWCHAIN, DELCHAIN, DELRULE = 0xA00, 0xA03, 0xA05, 0xA08
NONREC = 0x100  # delete a chain only if it is empty and nobody jumps to it
ERESTART = 85  # linux/errno.h; Python has no name for it on every system
_BEGIN, _END, _ERROR = 0x10, 0x11, 2
_NFTABLES = struct.pack(">BBH", 0, 0, 10)  # the subsystem a batch is for


class Batch:
    """Messages that come true together."""

    def __init__(self, socket: NetlinkSocket, seen: int | None = None) -> None:
        guard = b"" if seen is None else attribute(1, struct.pack(">I", seen))
        self.socket = socket
        self.first = socket.next_sequence()
        self.parts = [message(_BEGIN, REQUEST, _NFTABLES + guard, self.first)]
        self.subjects: dict[int, object] = {}

    def add(self, kind: int, flags: int, family: int, data: bytes, subject: object) -> int:
        """One more message; its sequence number leads from an answer to its subject."""
        sequence = self.socket.next_sequence()
        self.parts.append(message(kind, REQUEST | flags, header(FAMILIES[family]) + data, sequence))
        self.subjects[sequence] = subject
        return sequence

    def commit(self) -> tuple[list[Refusal], dict[int, int]]:
        """Send; returns the refusals in order (none: it is done) and the echoed handles by sequence number.

        A full receive buffer loses echoes, never the first refusals: those come before any echo would.
        """
        self.parts.append(message(_END, REQUEST, _NFTABLES, self.socket.next_sequence()))
        refusals: dict[int, Refusal] = {}
        handles = {}
        for kind, sequence, body in self._exchange(b"".join(self.parts)):
            if kind == NEWRULE and sequence in self.subjects:
                handles[sequence] = handle_of(attributes(body, 4))
            refusal = (
                refusal_in(body, sequence=sequence) if kind == _ERROR and sequence >= self.first else None
            )
            if refusal:
                refusals[sequence] = refusal
        return [refusals[sequence] for sequence in sorted(refusals)], handles

    def _exchange(self, data: bytes) -> list[tuple[int, int, bytes]]:
        try:
            return self.socket.exchange(data)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return list(self.socket.drain())
            hint = "too many rules at once for net.core.wmem_max" if error.errno == errno.EMSGSIZE else ""
            raise Refusal(error.errno or 0, "", self.first).as_error("the firewall rules", hint) from error

    def complaint(self, refusal: Refusal) -> KernelRefused:
        """The refusal for a user: the command it stands for and the kernel's own words."""
        subject = self.subjects.get(refusal.sequence)
        hint = "" if subject else "writing firewall rules needs CAP_NET_ADMIN"
        if refusal.errno == errno.EOPNOTSUPP:
            hint = "this kernel's nf_tables lacks it; load it: modprobe nft_chain_nat nft_compat; or use another kernel"
        return refusal.as_error(told(subject), hint)


def told(subject: object) -> str:
    """The command a message stands for."""
    if isinstance(subject, Rule):
        return iptables.command(subject)
    if isinstance(subject, Chain):
        return f"{iptables.program(subject.family)} -t {subject.table} -N {subject.name}"
    if isinstance(subject, Policy):
        return f"{iptables.program(subject.family)} -t {subject.table} -P {subject.chain} {subject.policy}"
    return str(subject) if subject else "the firewall rules"
