"""Every command explains itself: what it does, an example, every argument and option."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from minidock.cli.group import COMMANDS, cli

COMMAND = [sys.executable, "-m", "minidock"]


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands that are shown, with the words that lead to them."""
    if path:
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            if not below.hidden and below.name == name:  # aliases are told with their command
                yield from every(below, (*path, name))


ALL = dict(every(cli))


def help_of(path: tuple[str, ...]) -> str:
    """What --help prints."""
    context = click.Context(cli, info_name="minidock")
    for number, name in enumerate(path, 1):
        context = click.Context(ALL[path[:number]], parent=context, info_name=name)
    return context.command.get_help(context)


def test_the_list_of_commands_is_whole() -> None:
    """Every command of the first help page can be reached, and the page shows every command."""
    shown = help_of(())
    assert {path[0] for path in ALL} == set(COMMANDS)
    assert all(re.search(rf"^  {name} +\w", shown, re.M) for name in COMMANDS)
    assert len(ALL) > 25


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_says_what_it_does_with_an_example(path: tuple[str, ...]) -> None:
    """A sentence first; and a line that can be typed, with this very command in it."""
    command = ALL[path]
    assert command.help and re.match(r"[A-Z].*?[.:;](\s|$)", command.help, re.S), path
    words = " ".join(("minidock", *path))
    assert re.search(rf"^ +{re.escape(words)}\b", command.help, re.M), f"no example of: {words}"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_is_documented(path: tuple[str, ...]) -> None:
    """Each option has a help text, and is in what --help prints."""
    shown = help_of(path)
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help and not parameter.hidden, (path, parameter.opts)
            assert all(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown) for option in parameter.opts)
        else:
            assert parameter.make_metavar(click.Context(ALL[path])) in shown


def examples() -> list[str]:
    """Every line of every help text that can be typed."""
    texts = [cli.help or "", *(command.help or "" for command in ALL.values())]
    return sorted({line for text in texts for line in re.findall(r"^ +(minidock [a-z].*)$", text, re.M)})


@pytest.mark.parametrize("line", examples())
def test_the_examples_can_be_typed(line: str) -> None:
    """Click itself finds nothing wrong with them."""
    words = shlex.split(re.sub(r"\$\(.*?\)", "name", line.split("   ")[0]))[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        below = command.get_command(click.Context(command), words[0])
        if below is None:
            break
        command, words = below, words[1:]
    if not isinstance(command, click.Group) or words:
        command.make_context(command.name, words)


def test_help_needs_no_privileges_and_no_state() -> None:
    """As a process: `--help` of the program and of a command, exit code 0, on standard output."""
    for words in (("--help",), ("run", "--help"), ("net", "create", "--help")):
        done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/bin", "MINIDOCK_ROOT": "/proc/no", "MINIDOCK_RUN": "/proc/no"})
        assert done.returncode == 0 and done.stdout.startswith("Usage: minidock") and not done.stderr, words


@pytest.mark.parametrize(("words", "given"), [((), None), (("--ipv6",), True), (("--ipv6=0",), False)])
def test_a_switch_does_not_take_the_word_after_it(words: tuple[str, ...], given: bool | None) -> None:
    """`net create --ipv6 br0` makes br0."""
    taken = ALL["net", "create"].make_context("create", [*words, "br0"]).params
    assert (taken["name"], taken["ipv6"]) == ("br0", given)
