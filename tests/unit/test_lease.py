"""The times of a lease, and what of a server's words is believed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

import pytest

from minidock.kernel import dhcp
from minidock.model.lease import FOREVER, Lease

LEASE = Lease(IPv4Interface("192.0.2.9/24"), IPv4Address("192.0.2.1"), "02:00:00:00:00:01", IPv4Address("192.0.2.1"),
              (), "", 1000.0, 1800, 3150, 3600)


@pytest.mark.parametrize(("now", "again"), [
    (2800, 3475),  # T1: half of the way to T2
    (3475, 3812.5),
    (4089, 4149),  # not less than a minute
    (4140, 4150),  # but not beyond T2,
    (4150, 4375),  # from which on it is half of the way to the end
    (4590, 4600), (4600, 4600), (9999, 9999),
])
def test_when_to_ask_again(now: float, again: float) -> None:
    """RFC 2131, section 4.4.5."""
    assert LEASE.next_attempt(now) == again


def test_when_to_ask_first() -> None:
    assert (LEASE.renew_at, LEASE.rebind_at, LEASE.ends_at) == (2800, 4150, 4600)
    assert LEASE.but(seconds=FOREVER).renew_at is None


def test_what_makes_it_another_place() -> None:
    """Later times and another server do not."""
    assert LEASE.place == LEASE.but(begun=2.0, seconds=7, server=IPv4Address("192.0.2.2"), domain="lan").place
    assert LEASE.place != LEASE.but(interface=IPv4Interface("192.0.2.9/25")).place
    assert LEASE.place != LEASE.but(router=None).place


@pytest.mark.parametrize(("said", "believed"), [
    ((1800, 3150, 3600), (1800, 3150, 3600)),
    ((5, 9, 120), (5, 9, 120)),
    ((4000, 3000, 3600), (1500, 3000, 3600)),
    ((0, 0, 3600), (1575, 3150, 3600)),
    ((-1, -1, -1), (FOREVER, FOREVER, FOREVER)),
])
def test_times_come_in_order(said: tuple[int, int, int], believed: tuple[int, int, int]) -> None:
    assert dhcp._in_order(*said) == believed


@pytest.mark.parametrize(("said", "believed"), [
    ("lan", "lan"), ("home.example", "home.example"), (None, ""), ("", ""), ([1, 2], ""),
    ("lan\nnameserver 6.6.6.6", ""), ("lan other", ""), ("x" * 254, ""),
])
def test_a_domain_is_one_word(said: object, believed: str) -> None:
    """It is written into resolv.conf."""
    assert dhcp._domain(said) == believed
