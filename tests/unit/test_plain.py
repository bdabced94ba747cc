"""`run` without click reads what click reads, and leaves to click what it cannot read."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.cli import plain, running
from minidock.cli.run import run

PLAIN = {option.flags[0]: option for option in running.OPTIONS}
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6)


def by_click(words: list[str]) -> dict[str, Any]:
    """The values click makes of the words; its own options for telling left out."""
    context = run.make_context("run", list(words))
    return {name: value for name, value in context.params.items() if name not in ("explain", "dry_run", "script")}


@st.composite
def spelt(draw: st.DrawFn) -> list[str]:
    """Some options in any of their spellings, then a command that may look like options."""
    words: list[str] = []
    for option in draw(st.lists(st.sampled_from(running.OPTIONS), max_size=6)):
        flag = draw(st.sampled_from(option.flags))
        if option.kind == plain.FLAG:
            words.append(flag)
        elif flag.startswith("--") and draw(st.booleans()):
            words.append(f"{flag}={draw(values)}")
        else:
            words += [flag, draw(values)]
    return [*words, *draw(st.sampled_from([[], ["--"]])), "cmd", *draw(st.lists(values, max_size=3))]


@given(spelt())
def test_it_reads_what_click_reads(words: list[str]) -> None:
    assert plain.parse(running.OPTIONS, words) == by_click(words)


@pytest.mark.parametrize("words", [["-it", "cmd"], ["-dit", "--rm", "cmd", "-x"], ["--", "-x"], ["-"]])
def test_letters_and_ends_are_read_as_click_reads_them(words: list[str]) -> None:
    assert plain.parse(running.OPTIONS, words) == by_click(words)


@pytest.mark.parametrize("words", [[], ["--rm"], ["--help"], ["--nme", "x", "cmd"], ["--name"], ["-ex", "cmd"],
                                   ["--rm=x", "cmd"], ["--explain", "cmd"], ["-iq", "cmd"], ["--net=br0"]])
def test_what_is_not_plain_is_left_to_click(words: list[str]) -> None:
    assert plain.parse(running.OPTIONS, words) is None


def test_every_option_is_told_by_click() -> None:
    """One table, two readers."""
    told = {flag for parameter in run.params if isinstance(parameter, click.Option) for flag in parameter.opts}
    assert {flag for option in running.OPTIONS for flag in option.flags} <= told
