"""Applying, removing and replaying rules: all or nothing, in order, and nothing foreign is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minidock.errors import KernelRefused
from minidock.kernel import iptables, nft
from minidock.kernel.netlink import NetlinkSocket
from minidock.model.firewall import TOP, Chain, Policy
from tests.kernel.nft_stage import fresh_namespaces, rule, sh, spoken, succeeds


@pytest.fixture
def sock() -> Iterator[NetlinkSocket]:
    with fresh_namespaces() as fresh:
        yield fresh()


def test_top_rules_are_inserted_one_by_one_and_end_rules_appended(sock: NetlinkSocket) -> None:
    sh("iptables -A FORWARD -i foreign")
    nft.apply(sock, [], [], [rule("-i a", at=TOP), rule("-i z"), rule("-i b", at=TOP), rule("-i y")])
    nft.apply(sock, [], [], [rule("-i c", at=TOP)])
    assert spoken(sock) == ["-i c", "-i b", "-i a", "-i foreign", "-i z", "-i y"]
    assert [own.index_in_chain for own in nft.owned(sock)] == [1, 2, 3, 5, 6]


def test_one_bad_rule_and_nothing_is_applied(sock: NetlinkSocket) -> None:
    sh("iptables -A FORWARD -i foreign")
    before = nft.everything(sock)
    good, bad = rule("-i a"), rule("-j MASQUERADE", note="bad")
    with pytest.raises(KernelRefused) as caught:
        nft.apply(
            sock,
            [Chain(4, "nat", "MINIDOCK")],
            [Policy(4, "filter", "FORWARD", "DROP", "ACCEPT")],
            [good, bad],
        )
    assert iptables.command(bad) in caught.value.what
    assert caught.value.name == "EINVAL"
    assert nft.everything(sock) == before
    nft.apply(sock, [], [], [good])
    assert nft.everything(sock) != before


def test_a_rule_for_a_chain_that_is_not_there_says_so(sock: NetlinkSocket) -> None:
    with pytest.raises(KernelRefused) as caught:
        nft.apply(sock, [], [], [rule("-j ACCEPT", chain="MINIDOCK-NOWHERE")])
    assert "-A MINIDOCK-NOWHERE" in caught.value.what
    assert caught.value.name == "ENOENT"


def test_making_chains_again_keeps_their_rules_and_the_policy_of_others(sock: NetlinkSocket) -> None:
    sh("iptables -P FORWARD DROP")
    chain = Chain(4, "filter", "MINIDOCK")
    nft.apply(sock, [chain], [], [rule("-i a", "MINIDOCK")])
    nft.apply(sock, [chain], [], [rule("-j MINIDOCK")])
    assert spoken(sock, "MINIDOCK") == ["-i a"]
    assert nft.policy(sock, 4, "filter", "FORWARD") == "DROP"


def test_removal_leaves_foreign_rules_chains_and_policies(sock: NetlinkSocket) -> None:
    sh(
        "iptables -A FORWARD -i foreign; iptables -N THEIRS; iptables -t nat -A POSTROUTING -o up0 -j MASQUERADE"
    )
    sh("iptables -S; iptables -t nat -S")
    before = nft.everything(sock)
    chains = [Chain(4, "filter", "MINIDOCK"), Chain(4, "nat", "MINIDOCK"), Chain(4, "filter", "MINIDOCK-2")]
    policies = [Policy(4, "filter", "FORWARD", "DROP", "ACCEPT")]
    rules = [
        rule("-j MINIDOCK", at=TOP),
        rule("-i a -j MINIDOCK-2", "MINIDOCK"),
        rule("-j MASQUERADE", "POSTROUTING", "nat", at=TOP),
    ]
    for remember in (True, False):
        handles = nft.apply(sock, chains, policies, rules)
        assert nft.policy(sock, 4, "filter", "FORWARD") == "DROP"
        nft.remove(sock, chains, policies, rules, handles if remember else ())
        assert nft.everything(sock) == before


def test_removing_what_is_not_there_is_forgiven(sock: NetlinkSocket) -> None:
    chains = [Chain(6, "nat", "MINIDOCK")]
    rules = [rule("-j ACCEPT", "PREROUTING", "nat", family=6)]
    nft.remove(sock, chains, [Policy(4, "filter", "FORWARD", "DROP", "ACCEPT")], rules, (17,))
    assert nft.everything(sock) == ()
    nft.apply(sock, chains, [], rules)
    nft.remove(sock, chains, [], rules)
    nft.remove(sock, chains, [], rules)
    assert nft.owned(sock) == []


def test_a_policy_somebody_changed_is_not_put_back(sock: NetlinkSocket) -> None:
    policies = [
        Policy(4, "filter", "FORWARD", "DROP", "ACCEPT"),
        Policy(4, "filter", "INPUT", "ACCEPT", "DROP"),
    ]
    nft.apply(sock, [], policies, [])
    sh("iptables -P INPUT DROP; iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT")
    nft.remove(sock, [], policies, [])
    assert nft.policy(sock, 4, "filter", "FORWARD") == "ACCEPT"
    assert nft.policy(sock, 4, "filter", "INPUT") == "DROP"


@pytest.mark.parametrize("use", ["iptables -A MINIDOCK -i foreign", "iptables -A INPUT -j MINIDOCK"])
def test_a_chain_of_ours_that_others_use_is_kept(sock: NetlinkSocket, use: str) -> None:
    chains = [Chain(4, "filter", "MINIDOCK", kept=True), Chain(4, "filter", "MINIDOCK-2")]
    rules = [rule("-j MINIDOCK"), rule("-i a", "MINIDOCK")]
    handles = nft.apply(sock, chains, [], rules)
    sh(use)
    nft.remove(sock, chains, [], rules, handles)
    names = [row[3] for row in nft.everything(sock) if row[0] == "chain"]
    assert "MINIDOCK" in names
    assert "MINIDOCK-2" not in names
    assert nft.owned(sock) == []
    assert succeeds(use.replace(" -A ", " -C "))


def test_a_stale_handle_never_deletes_a_foreign_rule(sock: NetlinkSocket) -> None:
    ours = rule("-i ours")
    (handle,) = nft.apply(sock, [], [], [ours])
    sh("nft delete table ip filter")
    while not any(
        f"handle {handle}\n" in line
        for line in sh("nft -a list ruleset").splitlines(keepends=True)
        if "iifname" in line
    ):
        sh("iptables -A FORWARD -i foreign")
    before = nft.everything(sock)
    nft.remove(sock, [], [], [ours], (handle,))
    assert nft.everything(sock) == before
    nft.apply(sock, [], [], [ours])
    nft.remove(sock, [], [], [ours], (handle,))
    assert nft.everything(sock) == before


def test_rules_that_went_through_save_and_restore_are_still_ours(sock: NetlinkSocket) -> None:
    sh("iptables -A FORWARD -i foreign")
    published = "-p tcp -m tcp --dport 80 -j DNAT --to-destination 172.28.0.2:80"
    ours = [rule("-i ours"), rule(published, "PREROUTING", "nat")]
    handles = nft.apply(sock, [], [], ours)
    before = [row for row in nft.everything(sock) if row[0] == "rule"]
    sh("iptables-save | iptables-restore")
    owned = nft.owned(sock)
    assert tuple(own.handle for own in owned) != handles
    assert {own.spec for own in owned} == {item.spec for item in ours}
    assert [row for row in nft.everything(sock) if row[0] == "rule"] == before
    nft.remove(sock, [], [], ours, handles)
    assert nft.owned(sock) == []
    assert spoken(sock) == ["-i foreign"]


def test_replay_puts_our_rules_in_build_order_and_leaves_foreign_ones(sock: NetlinkSocket) -> None:
    host = (
        [Chain(4, "filter", "MINIDOCK")],
        [Policy(4, "filter", "FORWARD", "DROP", "ACCEPT")],
        [rule("-j MINIDOCK", at=TOP), rule("-i last")],
    )
    network = (
        [],
        [],
        [rule("-i net", "MINIDOCK", at=TOP, owner="network/1"), rule("-i n2", at=TOP, owner="network/1")],
    )
    nft.apply(sock, *host)
    nft.apply(sock, *network)
    sh("iptables -I FORWARD 2 -i foreign; iptables -A MINIDOCK -i foreign")
    assert spoken(sock) == ["-i n2", "-i foreign", "-j MINIDOCK", "-i last"]
    sh("iptables -D FORWARD -m comment --comment 'minidock:network/1 -i n2' -i n2")
    nft.apply(sock, [], [], [rule("-i orphan", owner="network/2")])
    handles = nft.replace(sock, [host, network])
    assert spoken(sock) == ["-i n2", "-j MINIDOCK", "-i foreign", "-i orphan", "-i last"], "another owner's stays"
    assert spoken(sock, "MINIDOCK") == ["-i net", "-i foreign"]
    by_comment = {own.comment: own.handle for own in nft.owned(sock)}
    rows = (host[2], network[2])
    assert handles == [tuple(by_comment[item.comment] for item in rules) for rules in rows]


def test_replay_with_a_bad_rule_changes_nothing(sock: NetlinkSocket) -> None:
    nft.apply(sock, [], [], [rule("-i a")])
    before = nft.everything(sock)
    with pytest.raises(KernelRefused):
        nft.replace(sock, [([], [], [rule("-i b"), rule("-j MASQUERADE")])])
    assert nft.everything(sock) == before
    nft.replace(sock, [([], [], [rule("-i b")])])
    assert spoken(sock) == ["-i b"]
