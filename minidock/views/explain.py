"""The story of a command as text for people, or as a shell script that does the same."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable

from minidock.objects import KernelObject
from minidock.objects.step import Step

_SCRIPT_HEAD = """#!/bin/bash
# {title}
# What minidock does, as the commands a person would type. Run it as root in a network namespace of your own.
set -euo pipefail
"""


def told(step: Step) -> list[tuple[str, str]]:
    """A step as (command, reason) pairs."""
    if step.object is None:
        return [(f"{shlex.join(step.command)}  # {step.note}", step.why)]
    return step.object.told(step.made)


def narrative(title: str, steps: Iterable[Step], rehearsed: bool) -> str:
    """Every step with its number, its command and its reason, by scope."""
    lines, number, scope = [], 0, ""
    for step in steps:
        if step.scope != scope:
            scope = step.scope
            lines += ["", f"  {scope}"]
        for command, why in told(step):
            number += 1
            lines.append(f"  {number:>3}  {command}")
            lines += textwrap.wrap(why, 100, initial_indent=" " * 9, subsequent_indent=" " * 9)
    word = "would be done" if rehearsed else "done"
    return "\n".join([f"{title} · {number} operations {word}", *lines, ""])


def script(title: str, steps: Iterable[Step]) -> str:
    """The same as a shell script; a container's process is a comment, for it would not end."""
    lines, scope = [_SCRIPT_HEAD.format(title=title)], ""
    for step in steps:
        if step.scope != scope:
            scope = step.scope
            lines.append(f"\n# {scope}")
        for command, why in told(step):
            lines += [f"# {line}" for line in textwrap.wrap(why, 110)]
            lines.append(command if step.object is not None else f"# process: {command}")
    return "\n".join(lines) + "\n"


def inventory(title: str, steps: Iterable[Step], lost: list[KernelObject],
              counters: dict[str, tuple[int, int]]) -> str:
    """What exists, with the reason, what is missing, and what each rule has seen."""
    lines, number, scope = [title], 0, ""
    for step in steps:
        if step.scope != scope:
            scope = step.scope
            lines += ["", f"  {scope}"]
        gone = "    MISSING in the kernel: minidock system repair" if step.object in lost else ""
        for command, why in told(step):
            number += 1
            lines.append(f"  {number:>3}  {command}{gone}")
            why += _seen(command, counters)
            lines += textwrap.wrap(why, 100, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return "\n".join([*lines, ""])


def _seen(command: str, counters: dict[str, tuple[int, int]]) -> str:
    _, _, rest = command.partition('--comment "')
    packets = counters.get(rest.partition('"')[0])
    return f" [{packets[0]} packets, {packets[1]} bytes so far]" if packets else ""


def anatomy(title: str, devices: list[tuple[str, list[tuple[int, str, str]]]]) -> str:
    """Devices as trees of netlink attributes."""
    lines = [title]
    for name, rows in devices:
        lines += ["", f"  {name}", *(f"    {'  ' * depth}{attribute:<28}{value}" for depth, attribute, value in rows)]
    return "\n".join(lines)
