"""Rules under load: others at work, full buffers, missing rights."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.errors import KernelRefused
from minidock.kernel import nft
from minidock.kernel.netlink import DUMP, NETFILTER, NetlinkSocket, message
from minidock.kernel.nft_read import GETRULE, generation, header
from minidock.model.firewall import TOP, Chain, Policy
from tests.kernel.nft_stage import fresh_namespaces, rule, sh


@pytest.fixture
def sock() -> Iterator[NetlinkSocket]:
    with fresh_namespaces() as fresh:
        yield fresh()


def test_others_may_change_rules_while_we_do(sock: NetlinkSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours or theirs is lost or refused in two seconds of fighting."""
    loop = (
        "n=0; while [ ! -e $0 ]; do iptables -A FORWARD -i foreign && iptables -D FORWARD -i foreign || echo lost; "
        "n=$((n+1)); done; echo $n"
    )
    stop = f"/tmp/minidock-test-stop-{os.getpid()}"
    sh("iptables -A FORWARD -i steady; iptables -S")
    before = nft.everything(sock)
    attempts = []
    monkeypatch.setattr(nft, "generation", lambda sock: attempts.append(1) or generation(sock))
    chains, rules = [Chain(4, "filter", "MINIDOCK")], [rule("-j MINIDOCK", at=TOP), rule("-i a", "MINIDOCK")]
    other = subprocess.Popen(
        ["sh", "-c", loop, stop], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        rounds, asked, end = 0, 0, time.monotonic() + 2
        while time.monotonic() < end:
            handles = nft.apply(sock, chains, [], rules)
            (handles,) = nft.replace(sock, [(chains, [], rules)]) if rounds % 2 else (handles,)
            assert len(nft.owned(sock)) == 2
            nft.remove(sock, chains, [], rules, handles if rounds % 3 else ())
            assert nft.owned(sock) == []
            rounds, asked = rounds + 1, asked + 2 + rounds % 2
    finally:
        Path(stop).touch()
        said, _ = other.communicate()
        Path(stop).unlink()
    assert nft.everything(sock) == before
    assert rounds > 5
    assert len(attempts) > asked, "nobody disturbed us: the test showed nothing"
    assert said.strip().isdecimal(), said
    assert int(said) > 5


def test_two_thousand_rules_are_one_batch(sock: NetlinkSocket) -> None:
    rules = [
        rule(f"-p tcp -m tcp --dport {1 + number} -j ACCEPT", note=f"n{number}") for number in range(2000)
    ]
    handles = nft.apply(sock, [], [], rules)
    owned = {own.handle: own.comment for own in nft.owned(sock)}
    assert [owned[handle] for handle in handles] == [item.comment for item in rules]
    nft.remove(sock, [], [], rules, handles)
    assert nft.owned(sock) == []


def test_echoes_lost_in_a_full_buffer_are_found_by_comment(sock: NetlinkSocket) -> None:
    rules = [
        rule(f"-p tcp -m tcp --dport {1 + number} -j ACCEPT", note=f"n{number}") for number in range(200)
    ]
    receive_at_most(sock, 2048)
    with pytest.raises(OSError, match="No buffer space"):
        sock.exchange(b"".join(message(GETRULE, DUMP | 1, header(2)) for _ in range(200)))
    list(sock.drain())
    handles = nft.apply(sock, [], [], rules)
    receive_at_most(sock, 1 << 20)
    owned = {own.handle: own.comment for own in nft.owned(sock)}
    assert [owned[handle] for handle in handles] == [item.comment for item in rules]


def receive_at_most(sock: NetlinkSocket, octets: int) -> None:
    with socket.socket(fileno=os.dup(sock.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)


@pytest.mark.real_root
def test_without_privilege_the_error_says_what_is_missing(sock: NetlinkSocket) -> None:
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        try:
            nft.apply(NetlinkSocket(NETFILTER), [], [], [rule("-i a")])
        except KernelRefused as error:
            os._exit(0 if error.name == "EPERM" and "CAP_NET_ADMIN" in error.hint else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert nft.everything(sock) == ()


def test_chains_that_exist_are_not_named_again(sock: NetlinkSocket) -> None:
    """An update that changes nothing would make the next rule wait for a grace period."""
    chains, policies = [Chain(4, "nat", "MINIDOCK")], [Policy(4, "filter", "FORWARD", "DROP", "ACCEPT")]
    rules = [rule("-j MASQUERADE", "POSTROUTING", "nat"), rule("-i a")]
    told = []
    for _ in range(2):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as monitor:
            monitor.bind((0, 0))
            monitor.setsockopt(270, 1, 7)  # NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES
            nft.apply(sock, chains, policies, rules)
            told.append(kinds_in(monitor.recv(1 << 16)))
    assert 0xA03 in told[0]
    assert 0xA03 not in told[1]
    assert 0xA06 in told[1]


def kinds_in(data: bytes) -> list[int]:
    kinds, start = [], 0
    while start + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, start)
        kinds.append(kind)
        start += (length + 3) & ~3
    return kinds
