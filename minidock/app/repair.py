"""Use case: bring kernel and store together again after a crash, a reboot, or somebody else's hand.

`tidy` runs at the start of every command and looks only for what a killed command left: it costs a few queries.
`repair` also compares every object with the kernel and makes lost ones again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from minidock.app import ending, events, networks, parents
from minidock.app.context import App
from minidock.firewall.replay import replayed
from minidock.kernel import netns, nft, nft_read
from minidock.kernel.iptables import program
from minidock.model.firewall import Policy
from minidock.model.record import Record
from minidock.objects import KernelObject, RuleSet
from minidock.sandbox.liveness import alive
from minidock.store.journal import Entry

_ROUNDS = 5
_NEWBORN_SECONDS = 1.0


class Repaired(Record):
    """One thing that was put right."""

    what: str
    done: str


def tidy(app: App) -> list[Repaired]:
    """Finish or take back what killed commands left. What somebody works on right now is left alone."""
    if app.dry:
        return []
    if app.state.new_boot:
        _after_boot(app)
    return [*_dead_containers(app), *_unfinished_networks(app), *_unused_parents(app), *_unfinished_scopes(app),
            *_unsettled(app)]


def _after_boot(app: App) -> None:
    """Containers of the old boot that were to be removed at their end are removed now."""
    for container, end in app.state.containers.all():
        if container.auto_remove and end and app.state.runs.of(container.id) is None:
            ending.forget(app, container)
            events.container(app, "destroy", container)
    app.state.swept()


def _process_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _dead_containers(app: App) -> list[Repaired]:
    repaired = []
    for container_id, state, monitor in app.state.runs.monitors():
        if not _process_gone(monitor) and (state == "running" or _monitor_lives(app, container_id)):
            continue  # looked at more closely only where it matters: a command must not get slow by many containers
        if _nobody_at(app, container_id, _NEWBORN_SECONDS if state == "starting" else 0.0):
            container = app.state.containers.get(container_id)
            name = container.name if container else container_id[:12]
            if ending.reap(app, container_id, None):  # its monitor is dead, and nobody was faster
                repaired.append(Repaired(f"container {name}", "its monitor was killed: cleaned up after it"))
    return repaired


def _nobody_at(app: App, container_id: str, seconds: float) -> bool:
    """Does nobody work on it? Of a start that was killed only the newborn has the lock yet, as a copy, and dies at
    once: it is waited for."""
    until = time.monotonic() + seconds
    while True:
        with app.state.free_lock("container", container_id[:12]) as free:
            if free or time.monotonic() >= until:
                return free
        time.sleep(0.005)


def _monitor_lives(app: App, container_id: str) -> bool:
    """The pid is there; is it still the monitor?"""
    run = app.state.runs.of(container_id)
    return run is not None and alive(run.monitor, run.monitor_started)


def _unfinished_networks(app: App) -> list[Repaired]:
    repaired = []
    for network, state in app.state.networks.in_state("creating", "removing"):
        with app.state.free_lock("network", network.short) as free:
            if free and (network, state) in app.state.networks.in_state(state):  # it may be ready by now
                networks.finish_removal(app, network, known=state == "removing")
                word = "its creation" if state == "creating" else "its removal"
                repaired.append(Repaired(f"network {network.name}", f"{word} was interrupted: removed"))
    return repaired


def _unused_parents(app: App) -> list[Repaired]:
    """VLAN interfaces whose last network is gone."""
    return [Repaired(name, "no network uses it any more: removed") for name in parents.tidy(app)]


def _unfinished_scopes(app: App) -> list[Repaired]:
    """Scopes of containers that have no row any more, and of networks whose rebuilding was cut."""
    repaired = []
    for scope, _ in app.state.journal.scopes("building", "razing"):
        kind, _, rest = scope.partition("/")
        with app.state.free_lock(kind, "" if kind == "host" else rest.partition("/")[0]) as free:
            if free and scope in dict(app.state.journal.scopes("building", "razing")):  # it may be built by now
                app.engine.raze(scope)
                repaired.append(Repaired(scope, "was left half done: removed"))
    return repaired


def _unsettled(app: App) -> list[Repaired]:
    """Running containers whose networks or ports a killed command was changing."""
    if not app.state.runs.unsettled():
        return []
    from minidock.app import settling  # rarely

    return [Repaired(f"container {container.name}", "a change of its networks or ports was interrupted: "
                     + (f"it cannot be settled yet: {trouble}" if trouble else "settled"))
            for container, trouble in settling.settle_all(app)]


def repair(app: App) -> list[Repaired]:
    """Everything `tidy` does, and every lost object made again, rules in their right order."""
    if app.dry:
        return _lost_objects(app)
    repaired = [*tidy(app), *_dead_monitors(app), *_forgotten_files(app)]
    with app.state.host_lock(), _nobody_attaching(app):
        return [*repaired, *_lost_objects(app)]


@contextlib.contextmanager
def _nobody_attaching(app: App) -> Iterator[None]:
    """Hold the locks of all networks: nothing is half built while the kernel is compared with the journal."""
    with contextlib.ExitStack() as held:
        for network in sorted(app.state.networks.all(), key=lambda network: network.id):
            held.enter_context(app.state.network_lock(network))
        yield


def _dead_monitors(app: App) -> list[Repaired]:
    repaired = []
    for container_id, run in app.state.runs.all().items():
        dead = run.state == "running" and not alive(run.monitor, run.monitor_started)
        if dead and ending.reap(app, container_id, None):
            repaired.append(Repaired(f"container {container_id[:12]}", "its monitor was gone: cleaned up after it"))
    return repaired


def _forgotten_files(app: App) -> list[Repaired]:
    """Directories of containers that are no more."""
    base = f"{app.state.run}/containers"
    found = set(os.listdir(base)) if os.path.isdir(base) else set()  # before the rows: these come first at a start
    known = {container.short for container, _ in app.state.containers.all()}
    known |= {container_id[:12] for container_id in app.state.runs.all()}
    orphans = sorted(found - known)
    for name in orphans:
        ending.discard(f"{base}/{name}")
    return [Repaired(f"files of container {name}", "nobody's: removed") for name in orphans]


def _lost_objects(app: App) -> list[Repaired]:
    """Make them again, parents first, until nothing is lost: a cable laid anew has lost its addresses."""
    repaired: list[Repaired] = []
    for _ in range(1 if app.dry else _ROUNDS):
        lost = [entry for entry in app.engine.check() if not _is_hosts(entry.object)]
        made = [done for done in (_restore(app, entry) for entry in lost) if done]
        repaired += made
        if not made:
            break
    return [*repaired, *_put_rules_right(app)]


def _put_rules_right(app: App) -> list[Repaired]:
    """No container may end meanwhile: its rules, read from the journal before, would be written once more."""
    with app.state.unremoved():
        return [*([_replace_rules(app)] if _rules_differ(app) else []), *_put_policies_right(app)]


def _put_policies_right(app: App) -> list[Repaired]:
    """The host forwards for containers only: everything else is not, whoever changed that (`ufw disable` does)."""
    socket = app.kernel.netfilter()
    changed = nft.changed_policies(socket, [item for _, rules in _rule_sets(app) for item in rules.policies])
    if app.dry:
        return [Repaired(_named(item), "was changed: would be set again") for item in changed]
    if changed:
        nft.apply(socket, (), changed, ())
    return [Repaired(_named(item), "was changed: set again") for item in changed]


def _named(item: Policy) -> str:
    return f"policy {item.policy} of {program(item.family)} {item.chain}"


def _restore(app: App, entry: Entry) -> Repaired | None:
    """Make one lost object again; None if its container is ending right now, or if it came back with another one."""
    if app.dry:
        app.engine.restore(entry)
        return Repaired(f"{entry.scope}: {entry.object.shell()[0]}", "is gone: would be made again")
    kind, _, rest = entry.scope.partition("/")
    mine = app.state.free_lock(kind, rest[:12]) if kind == "container" else contextlib.nullcontext(True)
    with mine as free:
        if not free or not app.state.journal.is_built(entry.scope) or entry.object.exists(app.kernel):
            return None
        if entry.object.makes:
            _name_again(app, entry)
        else:
            app.engine.restore(entry)
    return Repaired(f"{entry.scope}: {entry.object.shell()[0]}", "was gone: made again")


def _name_again(app: App, entry: Entry) -> None:
    """The container's process still lives in its sandbox, which has only lost its name."""
    short = entry.scope.partition("/")[2][:12]
    run = next(run for container_id, run in app.state.runs.all().items() if container_id.startswith(short))
    app.kernel.forget(entry.object.makes)
    netns.delete(entry.object.makes)
    netns.name(entry.object.makes, run.pid)


def _rule_sets(app: App) -> list[tuple[Entry, RuleSet]]:
    built = {scope for scope, _ in app.state.journal.scopes("built")}
    entries = [entry for entry in app.state.journal.entries() if entry.scope in built]
    return [(entry, entry.object) for entry in entries
            if isinstance(entry.object, RuleSet) and not entry.object.netns]


def _is_hosts(item: KernelObject) -> bool:
    """Are these rules of the host, which are compared and written as a whole?"""
    return isinstance(item, RuleSet) and not item.netns


def _rules_differ(app: App) -> bool:
    """Are our rules not exactly those of the journal, in the order of their building?"""
    wanted = replayed([rules.rules for _, rules in _rule_sets(app)])
    owners = {rule.owner for rules in wanted.values() for rule in rules}
    found: dict[tuple[int, str, str], list[str]] = {}
    for own in (own for own in nft_read.owned(app.kernel.netfilter()) if own.owner in owners):
        found.setdefault((own.family, own.table, own.chain), []).append(own.comment)
    return found != {place: [rule.comment for rule in rules] for place, rules in wanted.items()}


def _replace_rules(app: App) -> Repaired:
    sets = _rule_sets(app)
    if app.dry:
        for entry, rules in sets:
            app.story.tell(entry.scope, rules, True)
        return Repaired("firewall rules", "are not as they should be: all of ours would be written again, in order")
    handles = nft.replace(app.kernel.netfilter(), [(rules.chains, rules.policies, rules.rules) for _, rules in sets])
    for (entry, _), found in zip(sets, handles, strict=True):
        app.state.journal.note(entry.row, list(found))
    return Repaired("firewall rules", "were not as they should be: all of ours written again, in order")
