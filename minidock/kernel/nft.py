"""Writing iptables' rules: everything one scope wants, in one atomic nf_tables batch.

    BATCH_BEGIN [generation] | NEWTABLE NEWCHAIN... | NEWRULE... | BATCH_END    all of it, or nothing

Tables and base chains are made as `iptables` makes them, and only when something needs them. A batch that
depends on what was read carries the generation it was read at: if anybody changed a rule since, the kernel
answers ERESTART and we read again. Handles are echoed back, so that a later removal needs to read no chain.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from minidock.errors import KernelRefused
from minidock.kernel import foreign, iptables
from minidock.kernel.netlink import (
    APPEND,
    CREATE,
    ECHO,
    NetlinkSocket,
    Refusal,
    attribute,
)
from minidock.kernel.nft_batch import DELCHAIN, DELRULE, ERESTART, NEWCHAIN, NEWTABLE, NONREC, Batch
from minidock.kernel.nft_read import (
    FAMILIES,
    GETRULE,
    NEWRULE,
    OwnRule,
    Place,
    ask_each,
    chains_among,
    comment_of,
    everything,
    generation,
    handle_of,
    header,
    named,
    owned,
    policy,
    rules_in,
)
from minidock.model.firewall import TOP, Chain, Policy, Rule

__all__ = ["OwnRule", "apply", "changed_policies", "everything", "owned", "policy", "remove", "replace"]

RuleSetParts = tuple[Sequence[Chain], Sequence[Policy], Sequence[Rule]]

_POLICIES = {"DROP": 0, "ACCEPT": 1}
_HOOKS = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3, "POSTROUTING": 4}
_PRIORITIES = {"filter": 0, "nat": -100, "raw": -300, "mangle": -150}
_TRIES = 200


class _Disturbed(Exception):
    """The ruleset is not the one we read."""


def apply(
    socket: NetlinkSocket, chains: Sequence[Chain], policies: Sequence[Policy], rules: Sequence[Rule]
) -> tuple[int, ...]:
    """Make chains, policies and rules in one batch; returns the rules' handles in order.

    Chains that exist are left as they are; a TOP rule goes before all there is, earlier rules of this call
    included.
    """
    built: list[tuple[int, ...]] = []

    def attempt(seen: int) -> bool:
        built[:] = _build(socket, Batch(socket, seen), [(chains, policies, rules)])
        return True

    _until_undisturbed(socket, attempt)
    return built[0]


def remove(
    socket: NetlinkSocket,
    chains: Sequence[Chain],
    policies: Sequence[Policy],
    rules: Sequence[Rule],
    handles: Sequence[int] = (),
) -> None:
    """Take away rules, chains nobody else uses, and policies that still are as we set them and nobody else rules.

    What is gone already is forgiven. Only a rule that carries exactly our comment is deleted: a handle may
    mean another rule since the table was made anew.
    """
    kept: set[object] = set()

    def attempt(seen: int) -> bool:
        batch = Batch(socket, seen)
        for rule, handle in _located(socket, rules, handles):
            batch.add(DELRULE, 0, rule.family, _handle_in(rule.table, rule.chain, handle), rule)
        present = chains_among(socket, [*map(_place, policies), *map(_place, chains)])
        for item in policies:
            set_by_us = present.get(_place(item)) == item.policy != item.was
            if set_by_us and not foreign.rules_forwarding(socket, item.family):
                batch.add(NEWCHAIN, 0, item.family, _policy(item, item.was), item)
        for chain in reversed(chains):
            if _place(chain) in present and chain not in kept:
                batch.add(DELCHAIN, NONREC, chain.family, _chain(chain.table, chain.name), chain)
        refusals, _ = batch.commit() if batch.subjects else ([], {})
        needed = [refusal for refusal in refusals if _forgiven(batch, refusal)]
        kept.update(batch.subjects[refusal.sequence] for refusal in needed)
        _check(batch, [refusal for refusal in refusals if refusal not in needed])
        return not refusals

    _until_undisturbed(socket, attempt)


def replace(socket: NetlinkSocket, rulesets: Sequence[RuleSetParts]) -> list[tuple[int, ...]]:
    """Delete all rules of these rulesets' owners and make them in build order, in one batch; others stay in place."""
    owners = {rule.owner for _, _, rules in rulesets for rule in rules}
    built: list[tuple[int, ...]] = []

    def attempt(seen: int) -> bool:
        batch = Batch(socket, seen)
        for own in (own for own in owned(socket) if own.owner in owners):
            batch.add(DELRULE, 0, own.family, _handle_in(own.table, own.chain, own.handle), own)
        built[:] = _build(socket, batch, rulesets)
        return True

    _until_undisturbed(socket, attempt)
    return built


def changed_policies(socket: NetlinkSocket, policies: Sequence[Policy]) -> list[Policy]:
    """Those that somebody changed since, and no firewall that now rules there."""
    present = chains_among(socket, list(map(_place, policies)))
    return [item for item in policies if present.get(_place(item)) != item.policy
            and not foreign.rules_forwarding(socket, item.family)]


def _until_undisturbed(socket: NetlinkSocket, attempt: Callable[[int], bool]) -> None:
    """Try until no one changes a rule between our reading and our writing."""
    for tries in range(_TRIES):
        try:
            if attempt(generation(socket)):
                return
        except _Disturbed:
            time.sleep(0.0005 * min(tries, 20))  # somebody is at work: let them
        except Refusal as refusal:
            raise refusal.as_error("reading the firewall rules", "this needs CAP_NET_ADMIN") from refusal
    raise KernelRefused("the firewall rules do not stop changing", "see who: nft monitor", ERESTART)


def _check(batch: Batch, refusals: Sequence[Refusal]) -> None:
    """Raise for the first refusal: the others follow from it."""
    for refusal in refusals:
        if refusal.errno == ERESTART:
            raise _Disturbed
        raise batch.complaint(refusal)


def _forgiven(batch: Batch, refusal: Refusal) -> bool:
    """Is it only a chain that is gone, or that foreign rules live in or jump to?"""
    chain = isinstance(batch.subjects.get(refusal.sequence), Chain)
    return chain and refusal.errno in (errno.EBUSY, errno.ENOENT)


def _build(socket: NetlinkSocket, batch: Batch, rulesets: Sequence[RuleSetParts]) -> list[tuple[int, ...]]:
    """Finish a batch with all that the rulesets want, send it, and return their handles."""
    _ground(socket, batch, rulesets)
    sequences = [[_add_rule(batch, rule) for rule in rules] for _, _, rules in rulesets]
    refusals, echoed = batch.commit()
    _check(batch, refusals)
    if len(echoed) < sum(map(len, sequences)):  # a receive buffer too small for all echoes
        found = dict(_by_comment(socket, [rule for _, _, rules in rulesets for rule in rules]))
        return [tuple(found.get(rule, 0) for rule in rules) for _, _, rules in rulesets]
    return [tuple(echoed[sequence] for sequence in row) for row in sequences]


def _ground(socket: NetlinkSocket, batch: Batch, rulesets: Sequence[RuleSetParts]) -> None:
    """Tables, base chains, our chains and policies, where they are missing.

    A chain that exists is not named again: even an update that changes nothing leaves the kernel work for after a
    grace period, and the next rule with a target of iptables', or the close of the socket, waits 10 ms for it.
    """
    chains = {_place(chain): chain for ours, _, _ in rulesets for chain in ours}
    policies = [item for _, items, _ in rulesets for item in items]
    users: list[Policy | Rule] = [*policies, *(rule for _, _, rules in rulesets for rule in rules)]
    bases = [_place(user) for user in users if user.chain in _HOOKS]
    wanted = list(dict.fromkeys([*bases, *chains]))
    present = chains_among(socket, wanted)
    missing = [place for place in wanted if place not in present]
    for family, table in dict.fromkeys((family, table) for family, table, _ in missing):
        batch.add(NEWTABLE, CREATE, family, named(1, table), f"table {table}")
    for place in missing:
        family, table, name = place
        data = _chain(table, name) if place in chains else _base_chain(table, name)
        batch.add(NEWCHAIN, CREATE, family, data, chains.get(place, f"chain {name} of table {table}"))
    for item in policies:
        if present.get(_place(item), "ACCEPT") != item.policy:
            batch.add(NEWCHAIN, 0, item.family, _policy(item, item.policy), item)


def _place(item: Chain | Policy | Rule) -> Place:
    return item.family, item.table, item.name if isinstance(item, Chain) else item.chain


def _add_rule(batch: Batch, rule: Rule) -> int:
    place = 0 if rule.at == TOP else APPEND
    return batch.add(NEWRULE, CREATE | ECHO | place, rule.family, _rule(rule), rule)


@lru_cache(maxsize=4096)
def _rule(rule: Rule) -> bytes:
    """The attributes of a rule; remembered, so that a second attempt is quick and more likely undisturbed."""
    expressions, compat = iptables.compile(rule)
    comment = rule.comment.encode() + b"\0"
    data = named(1, rule.table) + named(2, rule.chain) + attribute(4, expressions)
    if compat:
        data += attribute(5, compat)
    return data + attribute(7, bytes((0, len(comment))) + comment)


def _base_chain(table: str, name: str) -> bytes:
    """As iptables makes it (nft.c, xtables_ipv4); without a policy, so that one that exists keeps its own."""
    kind = "nat" if table == "nat" else "route" if (table, name) == ("mangle", "OUTPUT") else "filter"
    after = table == "nat" and name in ("INPUT", "POSTROUTING")  # source translation comes last
    priority = 100 if after else _PRIORITIES[table]
    hook = attribute(1, struct.pack(">I", _HOOKS[name])) + attribute(2, struct.pack(">i", priority))
    return _chain(table, name) + attribute(4, hook) + named(7, kind)


def _chain(table: str, name: str) -> bytes:
    return named(1, table) + named(3, name)


def _policy(item: Policy, policy: str) -> bytes:
    return _chain(item.table, item.chain) + attribute(5, struct.pack(">I", _POLICIES[policy]))


def _handle_in(table: str, chain: str, handle: int) -> bytes:
    return named(1, table) + named(2, chain) + attribute(3, struct.pack(">Q", handle))


def _located(
    socket: NetlinkSocket, rules: Sequence[Rule], handles: Sequence[int]
) -> Iterator[tuple[Rule, int]]:
    """Where the rules are now: by handle if that is still the rule, else by comment."""
    pairs = list(zip(rules, handles, strict=True)) if handles else []
    bodies = [
        header(FAMILIES[rule.family]) + _handle_in(rule.table, rule.chain, handle) for rule, handle in pairs
    ]
    certain = set()
    for (rule, handle), found in zip(pairs, ask_each(socket, GETRULE, bodies), strict=True):
        if comment_of(found) == rule.comment:
            certain.add(rule)
            yield rule, handle
    yield from _by_comment(socket, [rule for rule in rules if rule not in certain])


def _by_comment(socket: NetlinkSocket, rules: Sequence[Rule]) -> Iterator[tuple[Rule, int]]:
    """All rules in the kernel that carry the comment of one of these, in its chain."""
    for place in dict.fromkeys(map(_place, rules)):
        wanted = {rule.comment: rule for rule in rules if _place(rule) == place}
        for held in rules_in(socket, FAMILIES[place[0]], *place[1:]):
            rule = wanted.get(comment_of(held))
            if rule:
                yield rule, handle_of(held)
