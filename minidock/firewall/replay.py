"""The right order of our rules in shared chains: the replay of the live scopes in the order they were built."""

from __future__ import annotations

from collections.abc import Iterable

from minidock.model.firewall import TOP, Rule


def replayed(scopes: Iterable[tuple[Rule, ...]]) -> dict[tuple[int, str, str], list[Rule]]:
    """Each chain's rules of ours, top to bottom, after all scopes added theirs."""
    chains: dict[tuple[int, str, str], list[Rule]] = {}
    for rules in scopes:
        for rule in rules:
            chain = chains.setdefault((rule.family, rule.table, rule.chain), [])
            chain.insert(0 if rule.at == TOP else len(chain), rule)
    return chains
