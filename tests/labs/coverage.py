"""Which lab teaches which option of a network or of an attachment: read from the labs' scripts and tasks.

    driver options                      the drivers' own tables of `-o KEY=VALUE`
    flags of a network                  `minidock net create --FLAG`
    flags of an attachment              `minidock net connect --FLAG`, and `run --FLAG`, `run --network name=NET,FLAG=…`
    options of an attachment            `--driver-opt KEY=VALUE`

    python -m tests.labs.coverage       prints the map
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from minidock.app.attaching import ENDPOINT_OPTIONS
from minidock.cli import net
from minidock.drivers import DRIVERS
from minidock.labs import folder
from minidock.labs.folder import Folder
from minidock.model.network import OPTION_PREFIX

Line = tuple[str, str]  # the lab's name, a command
COMMON = {"--explain", "--dry-run", "--script"}  # of every command
CARRIERS = {"--driver", "--opt", "--driver-opt"}  # used by whoever uses an option
NETWORK = "minidock net create"
ATTACHMENT = "minidock (?:run|create|net connect)"
OTHERWISE = {"--alias": "--network-alias"}  # what `run` calls it


def options() -> dict[str, re.Pattern[str]]:
    """Every option, and what a command that uses it looks like."""
    keys = {key for driver in DRIVERS.values() for key in driver.OPTIONS}
    keys |= {OPTION_PREFIX + key for key in ENDPOINT_OPTIONS}
    return {**{key: _key(key) for key in sorted(keys)},
            **{f"net create {flag}": _flag(NETWORK, flag) for flag in _flags(net.create)},
            **{f"attachment {flag}": _attached(flag) for flag in _flags(net.connect)}}


def _flags(command: click.Command) -> list[str]:
    return [option.opts[-1] for option in command.params
            if isinstance(option, click.Option) and option.opts[-1] not in COMMON | CARRIERS]


def _key(key: str) -> re.Pattern[str]:
    """`-o KEY=`, or `driver-opt=KEY=`, or a variable that is given to -o."""
    return re.compile(rf"(?:-o |--opt |--driver-opt |=){re.escape(key)}=")


def _flag(command: str, *words: str) -> re.Pattern[str]:
    return re.compile(rf"{command}\b[^;|&]* (?:{'|'.join(words)})(?![\w-])")


def _attached(flag: str) -> re.Pattern[str]:
    return _flag(ATTACHMENT, flag, OTHERWISE.get(flag, flag), rf'\S*name=[^ ]*,{flag.lstrip("-")}(?==)')


def commands(lab: Folder) -> Iterator[str]:
    """What its scripts run, without comments: start, solutions, mutations, wrong ones; and its task."""
    for path in (lab.path / "task.en.md", *sorted(lab.path.rglob("*.sh"))):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        yield from (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def lines() -> list[Line]:
    """Those of all labs."""
    return [(lab.name, line) for lab in folder.every() for line in commands(lab)]


def labs_of(said: Iterable[Line]) -> dict[str, list[str]]:
    """The labs of every option."""
    said = list(said)
    return {name: sorted({lab for lab, line in said if pattern.search(line)}) for name, pattern in options().items()}


if __name__ == "__main__":
    for name, labs in labs_of(lines()).items():
        print(f"{name:50}  {' '.join(labs) or '-'}")
