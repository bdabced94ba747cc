"""Reading a plainly typed command line without click, from the same table of options that click is given.

Anything unusual (help, a misspelt option, a missing value) is left to click, which knows what to say: `parse` then
returns None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

TEXT, MANY, FLAG = "text", "many", "flag"


class Option(Record):
    """One option: its spellings, the name of its value; it takes one value, many, or none."""

    flags: tuple[str, ...]
    name: str
    kind: str
    help: str
    metavar: str = ""
    default: str = ""

    @property
    def empty(self) -> Any:
        """The value when it is not given."""
        return {TEXT: self.default, MANY: (), FLAG: False}[self.kind]


def parse(options: Sequence[Option], words: Sequence[str]) -> dict[str, Any] | None:
    """The options' values by name, and the rest as `argv`; None if click must look at it."""
    known = {flag: option for option in options for flag in option.flags}
    given: dict[str, Any] = {option.name: option.empty for option in options}
    rest = list(words)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            break
        if not _take(word, rest, known, given):
            return None
    return {**given, "argv": tuple(rest)} if rest else None


def _take(word: str, rest: list[str], known: Mapping[str, Option], given: dict[str, Any]) -> bool:
    """Take one word's option, and its value from the word or the next; False if that is not plain."""
    flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    option = known.get(flag)
    if option is None:
        return _take_letters(word, known, given)
    if option.kind == FLAG:
        given[option.name] = True
        return not equals
    if not equals:
        if not rest:
            return False
        value = rest.pop(0)
    given[option.name] = (*given[option.name], value) if option.kind == MANY else value
    return True


def _take_letters(word: str, known: Mapping[str, Option], given: dict[str, Any]) -> bool:
    """-itd: several options of one letter that take no value."""
    letters = [known.get(f"-{letter}") for letter in word[1:]]
    if word.startswith("--") or not all(option and option.kind == FLAG for option in letters):
        return False
    given.update({option.name: True for option in letters if option})
    return True
