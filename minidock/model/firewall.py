"""Firewall rules as data, written in iptables' own words.

A rule's `spec` is the text that follows `iptables -t TABLE -A CHAIN`: the reader of a driver sees the rule that
`iptables -S` will show. Encoding it for the kernel is `kernel.iptables`' work.
"""

from __future__ import annotations

from minidock.model.record import Record

TOP = "TOP"
END = "END"


class Chain(Record):
    """A chain of ours in one of iptables' tables; base chains need no mention, a rule in one makes it."""

    family: int  # 4 or 6
    table: str  # filter, nat, raw, mangle
    name: str
    kept: bool = False  # belongs to the user: deleted only while empty, never flushed


class Policy(Record):
    """The policy of a base chain, with the one it had before."""

    family: int
    table: str
    chain: str
    policy: str  # ACCEPT or DROP
    was: str


class Rule(Record):
    """One iptables rule of ours."""

    family: int
    table: str
    chain: str
    at: str  # TOP: before everything in the chain, END: after
    spec: str  # "-s 172.28.0.0/16 ! -o br-0123456789ab -j MASQUERADE"
    owner: str  # the scope that owns it: "network/0123456789ab"
    note: str  # the reason in a few words, unique within the scope's rules of one chain
    why: str  # the reason in one sentence, for learners

    @property
    def comment(self) -> str:
        """The ownership mark that `iptables -S` and `nft list` show; at most 120 characters."""
        return f"minidock:{self.owner} {self.note}"
