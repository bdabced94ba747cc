"""Choosing every identifier ourselves: ids, MACs, device names, container names.

`MINIDOCK_SEED` pins all choices, for tests and lectures: they then follow from the seed and what they are for.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_ADJECTIVES = ("able bold brave brisk bright calm clever cosy deft eager fair fond gentle glad happy hardy keen kind"
               " lively lucid merry mild modest neat nimble noble patient plain proud quick quiet ready serene sharp"
               " silent smart snug sober steady still sunny swift tidy true vivid warm wise witty").split()
_PIONEERS = ("baran bellovin berners boggs cerf clark crocker davies deering estrin feinler floyd gerla heart jacobson"
             " jun kahn karels kent khan kilnam kleinrock knuth lamport licklider lynch metcalfe mills mockapetris"
             " moy murai nagle perlman postel reed rekhter roberts saltzer shannon sproull strowger sutherland taylor"
             " tomlinson torvalds wing zimmermann").split()


def digits(purpose: str, count: int) -> str:
    """`count` hex digits: random, or pinned by the seed and the purpose."""
    seed = os.environ.get("MINIDOCK_SEED")
    if seed is None:
        return os.urandom((count + 1) // 2).hex()[:count]
    from hashlib import sha256  # only here: it costs every other command 3 ms

    return sha256(f"{seed}/{purpose}".encode()).hexdigest()[:count]


def new_id(purpose: str, taken: Callable[[str], bool] = lambda name: False) -> str:
    """A 64-digit id that nobody has, with a letter among its first twelve: Docker skips ids that look like numbers.

    Under a seed a renamed container still has the id that its old name gives.
    """
    for attempt in range(100):
        found = digits(f"{purpose}/{attempt}", 64)
        if not found[:12].isdigit() and not taken(found):
            return found
    raise AssertionError("unreachable: a hundred ids all digits or taken")


def mac(purpose: str) -> str:
    """A random unicast, locally administered MAC."""
    found = digits(f"mac/{purpose}", 12)
    first = (int(found[:2], 16) & 0xFE) | 0x02
    return ":".join([f"{first:02x}", *(found[i : i + 2] for i in range(2, 12, 2))])


def ifname(purpose: str) -> str:
    """The name of a veth's host end."""
    return "veth" + digits(f"ifname/{purpose}", 7)


def container_name(taken: Callable[[str], bool]) -> str:
    """A name nobody has, as Docker's: adjective_surname, here of people the network is owed to."""
    for attempt in range(10_000):
        number = int(digits(f"name/{attempt}", 8), 16)
        found = f"{_ADJECTIVES[number % len(_ADJECTIVES)]}_{_PIONEERS[number // 97 % len(_PIONEERS)]}"
        found += str(attempt) if attempt > 50 else ""
        if not taken(found):
            return found
    raise AssertionError("unreachable: ten thousand names taken")
