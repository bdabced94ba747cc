"""Explain equals apply: a tale of commands, acted by the engine on one host and retold by a shell on another."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path
from typing import Any

from minidock.cli.group import cli
from tests.closeup import closeup, difference
from tests.ground import Host, until


class Tale:
    """What the engine did on its host: the scripts it printed beforehand, and how the host looked after each."""

    def __init__(self) -> None:
        self.chapters: list[tuple[str, dict[str, Any]]] = []

    def look(self, host: Host) -> None:
        """How it is before the first act."""
        self.chapters.append(("", closeup(host)))

    def act(self, host: Host, *words: str) -> None:
        """Let minidock print the script of a command, then do it, then look."""
        script = printed(words, "--dry-run", "--script", "-")
        host.minidock(*words)
        self.chapters.append((script, _once_steady(host)))

    def act_by_deed(self, host: Host, script: Path, *words: str) -> None:
        """The script is what the command itself writes into that file: some things are known to the deed only."""
        host.minidock(*words)
        self.chapters.append((script.read_text(), _once_steady(host)))

    def act_as_told(self, host: Host, *words: str) -> None:
        """The same; and what it says it does is what it said it would do."""
        script, promised = printed(words, "--dry-run", "--script", "-"), printed(words, "--dry-run")
        kept = host.minidock(*_with(words, "--explain")).stderr
        assert operations(kept) == operations(promised), f"{words}\npromised: {promised}\nkept: {kept}"
        self.chapters.append((script, _once_steady(host)))

    def retell(self, host: Host) -> None:
        """Run the scripts on this host; after each it looks as the engine's did."""
        for script, wanted in self.chapters:
            _run_script(script)
            seen = until(lambda: difference(wanted, closeup(host)), lambda found: not found, 3)  # noqa: B023
            assert not seen, "\n".join([script, *seen])


def _once_steady(host: Host) -> dict[str, Any]:
    """The first look that is the same as the one before: cables may die a moment after the command."""
    last = closeup(host)
    while (now := closeup(host)) != last:
        last = now
    return last


def operations(narrative: str) -> list[str]:
    """The operations of a story, without its title; a warning may come before it."""
    return re.split(r" operations (?:would be )?done\n", narrative)[-1].splitlines()


def _with(words: tuple[str, ...], *flags: str) -> tuple[str, ...]:
    """The flags before the program of a container."""
    at = next((i for i, word in enumerate(words) if word == "sleep"), len(words))
    return (*words[:at], *flags, *words[at:])


def printed(words: tuple[str, ...], *flags: str) -> str:
    """What a command prints, run inside this process: a hundred of them cost a minute otherwise."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        cli.main(list(_with(words, *flags)), prog_name="minidock", standalone_mode=False)
    return text.getvalue()


def _run_script(script: str) -> None:
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{script}"
