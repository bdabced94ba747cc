"""Use case: what carries minidock's mark in the kernel but is in no record, as after a lost state directory.

It may also belong to another MINIDOCK_RUN in the same network namespace; so it is only told, and removed when the
user says so.
"""

from __future__ import annotations

import os
import signal

from minidock.app.context import App
from minidock.drivers.bridge import host
from minidock.kernel import netns, nft, nft_read, rtnl
from minidock.kernel.handle import Link
from minidock.kernel.netlink import Refusal
from minidock.kernel.nft_read import OwnRule
from minidock.model.firewall import END, Chain, Rule
from minidock.model.record import Record
from minidock.objects import RuleSet


class Orphans(Record):
    """Marked things without a record."""

    links: tuple[Link, ...]
    sandboxes: tuple[str, ...]
    rules: tuple[OwnRule, ...]

    def __len__(self) -> int:
        return len(self.links) + len(self.sandboxes) + len(self.rules)


def find(app: App) -> Orphans:
    """Look at the kernel first, at the journal then: what is recorded in between is not taken for an orphan."""
    links = [link for link in app.kernel.links() if link.ours]
    names = sorted(os.listdir(netns.DIRECTORY)) if os.path.isdir(netns.DIRECTORY) else []
    rules = nft_read.owned(app.kernel.netfilter())
    entries = app.state.journal.entries()
    devices = {device for entry in entries for device in entry.object.devices}
    sandboxes = {entry.object.makes for entry in entries}
    scopes = {entry.scope for entry in entries}
    return Orphans(
        tuple(link for link in links if ("", link.name) not in devices),
        tuple(name for name in names if name.startswith("md-") and name not in sandboxes),
        tuple(rule for rule in rules if rule.owner not in scopes),
    )


def remove(app: App, orphans: Orphans) -> list[str]:
    """End the processes in the sandboxes, then remove rules, links and names; what was done, as lines."""
    told = []
    for name in orphans.sandboxes:
        told += [f"process {pid} in {name}: killed" for pid in _kill_inhabitants(name)]
    nft.remove(app.kernel.netfilter(), _chains(app), (), [_rule(own) for own in orphans.rules])
    for link in orphans.links:
        _delete(app, link)
        told.append(f"device {link.name} ({link.alias or 'no alias'}): removed")
    for name in orphans.sandboxes:
        app.kernel.forget(name)
        netns.delete(name)
        told.append(f"sandbox {name}: removed")
    return told + ([f"{len(orphans.rules)} firewall rules: removed"] if orphans.rules else [])


def _rule(own: OwnRule) -> Rule:
    _, _, note = own.comment.partition(" ")
    return Rule(own.family, own.table, own.chain, END, own.spec, own.owner, note, "")


def _chains(app: App) -> tuple[Chain, ...]:
    """Our chains too, if no record says they are in use."""
    if app.state.journal.has("host"):
        return ()
    return tuple(chain for item in host(app.facts()) if isinstance(item, RuleSet) for chain in item.chains)


def _delete(app: App, link: Link) -> None:
    try:
        app.kernel.route().request(rtnl.DELLINK, 0, rtnl.link(link.index))
    except Refusal:  # the other end of a cable that went before
        return


def _kill_inhabitants(name: str) -> list[int]:
    """SIGKILL to every process whose network namespace this is."""
    try:
        home = os.stat(netns.path(name)).st_ino
    except FileNotFoundError:
        return []
    killed = []
    for pid in (int(word) for word in os.listdir("/proc") if word.isdigit()):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino == home:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return killed
