"""The values of one learner: every variable of a lab follows from the seed, the lab and the variable's name.

    S = [16, 250]                a number between, both included
    NAME = ["red", "crimson"]    one of these words
    SUBNET = "10.0.$S"           a text, with the variables above it
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from minidock.errors import BadRequest

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)  # a Korean particle may follow


def drawn(declared: dict[str, Any], seed: str, lab: str, chosen: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values, in the order of declaration, after those that somebody has chosen."""
    values: dict[str, Any] = {"SEED": seed, "LAB": lab, **(chosen or {})}
    for name, choice in declared.items():
        number = int.from_bytes(sha256(f"{seed}/{lab}/{name}".encode()).digest()[:8], "big")
        values[name] = _drawn(name, choice, number, values)
    return values


def _drawn(name: str, choice: Any, number: int, values: dict[str, Any]) -> Any:
    if isinstance(choice, str):
        return filled(choice, values)
    if isinstance(choice, list) and len(choice) == 2 and all(isinstance(end, int) for end in choice):
        return choice[0] + number % (choice[1] - choice[0] + 1)
    if isinstance(choice, list) and choice and all(isinstance(word, str) for word in choice):
        return choice[number % len(choice)]
    if isinstance(choice, int):
        return choice
    raise BadRequest(f"lab.toml: {name} = {choice!r} is no choice",
                     'two numbers, a list of words, or a text: "10.0.$S"')


def filled(text: str, values: dict[str, Any]) -> str:
    """The text with $NAME and ${NAME} of known variables replaced; all other dollars stay."""
    def value(match: re.Match[str]) -> str:
        return str(values.get(match[1] or match[2], match[0]))

    return _VARIABLE.sub(value, text)
