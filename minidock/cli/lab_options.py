"""What the commands of `minidock lab` share: which lab of which learner is meant, and in which language."""

from __future__ import annotations

import os

import click

from minidock.cli import completing

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minidock.labs.desk import Desk

LANGUAGES = click.Choice(["en", "ko"])


def of_desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """The words of every command about a lab that was started: LAB, --name, --lang."""
    for decorator in (
        click.option("--lang", type=LANGUAGES, help="In English or Korean."),
        click.option("--name", "student", default="", help="The learner's, where several share one account."),
        click.argument("lab_", metavar="[LAB]", required=False, default="", shell_complete=completing.labs),
    ):
        command = decorator(command)
    return command


def chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the labs with faults let one choose."""
    for decorator in (
        click.option("--level", type=click.Choice(["easy", "hard"]), help="How hard the faults are (lab 16)."),
        click.option("--faults", type=click.IntRange(1, 3), help="How many faults there are (lab 16)."),
    ):
        command = decorator(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Those of them that were chosen."""
    return {name: value for name, value in options.items() if value is not None}


def found(lab_: str, student: str, lang: str | None = None) -> tuple[Desk, str]:
    """The desk that is meant, and the language to speak."""
    from minidock.labs import desk as desks

    desk = desks.current(lab_, student)
    return desk, lang or desk.language


def locale() -> str:
    """ko in a Korean locale, else ""."""
    words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ko" if words.startswith("ko") else ""
