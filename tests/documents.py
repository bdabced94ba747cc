"""Documents whose commands are typed again, and print what is printed there; what varies is masked.

    ## A section              begins on the machine itself
        minidock playground   from here on all is typed in a playground: until another one, or the next `## `
    ```console
    $ a command               typed in one shell with those before it
    what it prints            `…` is anything; where it is all of a line, any lines
    # a command               typed in the shell that the `$ …` above has opened
    ```
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from minidock.model.record import Record
from tests.kernel.playground_cli import HOME

MARK = "--- typed ---"
_PLAYGROUND = re.compile(r" {4}(minidock playground(?: --lan)?)")
_VARYING = [(re.compile(pattern, re.MULTILINE), word) for pattern, word in (
    (r"\b[0-9a-f]{64}\b", "ID"),
    (r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", "ID"),
    (r"\bveth[0-9a-f]{7}\b", "VETH"),
    (r"\bfd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::", "ULA::"),
    (r"@if\d+ +", "@ifN  "),
    (r"(you are \S+):\d+$", r"\1:PORT"),
    (r"(?<=process )\d+", "PID"),
    (r"^ {2,4}\d+(?=  \S)|\d+(?= operations)", "N"),  # an ordinary user's kernel allows a setting less
    (r"(?<=really port )\d+", "PORT"),
    (r"(?<=time=)[\d.]+|(?<=loss, time )\d+|[\d./]+(?= ms$)|\d+(?= µs)|\d+\.\d(?= s$|초$)", "TIME"),
    (r"(?<=frame )\d+", "N"),
    (r"(?<=sha256 )[0-9a-f]{16}", "SHA"),
    (r"\S+(?=/minidock/labs/lab-)", "STATE"),
    (r"\d\d/[A-Z][a-z]{2}/\d{4} [\d:]+|\d{4}-\d\d-\d\dT[\d:]+Z", "DATE"),
    (r"(?:Less than a second|\d+ seconds?) ago +", "AGO  "),
    (r"Up (?:Less than a second|\d+ seconds?) +", "Up AGE  "),
    (r"(CREATED|STATUS) +", r"\1  "),
    (r"(?<=:42 )[A-Z]+ *$", "STATE"),
    (r" +$", ""))]
# A reader types more slowly than a server starts.
_UNHURRIED = """for server in $(pgrep -f '^python3 -m http.server'); do
    timeout 20 nsenter -t "$server" -n sh -c 'until ss -Hltn | grep -q :80; do sleep 0.02; done'
done"""


class Command(Record):
    """What is typed after `$`, or after `#` in the shell that the one before has opened, and what is printed then."""

    prompt: str
    line: str
    printed: str


class Stage(Record):
    """Commands of one section, all typed on one host: the machine, or the playground that this line makes."""

    section: str
    playground: str
    commands: tuple[Command, ...]


def stages(path: Path) -> list[Stage]:
    """All commands of a document."""
    found = []
    for section in path.read_text(encoding="utf-8").split("\n## ")[1:]:
        name, _, text = section.partition("\n")
        on_machine, *parts = _PLAYGROUND.split(text)
        for playground, part in (("", on_machine), *zip(parts[::2], parts[1::2], strict=True)):
            told = "".join(re.findall(r"^```console\n(.*?)^```", part, re.DOTALL | re.MULTILINE))
            commands = tuple(_commands(told))
            found += [Stage(name, playground, commands)] if commands else []
    return found


def _commands(told: str) -> Iterator[Command]:
    for prompt, line, printed in re.findall(r"^([$#]) (.*)\n((?:(?![$#] ).*\n)*)", told, re.MULTILINE):
        yield Command(prompt, line, printed)


def typed(stage: Stage, home: Path) -> list[str]:
    """What each command prints, when a learner with this home types them all."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(HOME),
                   "XDG_STATE_HOME": str(home), "LANG": "C.UTF-8", "SHELL": "/bin/bash"}
    command = [*shlex.split(stage.playground), "--", "bash"] if stage.playground else ["bash"]
    done = subprocess.run(command, input=_script(stage), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=180, env=environment, check=False)
    before, *printed = re.split(rf"^{MARK}\n", done.stdout, flags=re.MULTILINE)
    assert before == "", before
    return printed


def _script(stage: Stage) -> str:
    lines: list[str] = []
    for command, following in zip(stage.commands, (*stage.commands[1:], None), strict=True):
        opens = command.prompt == "$" and following is not None and following.prompt == "#"
        closes = command.prompt == "#" and (following is None or following.prompt == "$")
        lines += [_UNHURRIED] if stage.playground else []
        lines += [f"echo '{MARK}'", "{", command.line, "} <<'INSIDE'" if opens else "} </dev/null"]
        lines += ["INSIDE"] if closes else []
    return "\n".join(lines) + "\n"


def masked(text: str) -> str:
    """What varies by a word."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


def agrees(command: Command, printed: str) -> bool:
    """Is it what the document says?"""
    pattern = re.escape(masked(command.printed)).replace("\\\n", "\n")
    pattern = re.sub(r"^ *…\n", "(?:.*\\\\n)*", pattern.replace("\\ ", " "), flags=re.MULTILINE).replace("…", ".*")
    return re.fullmatch(pattern, masked(printed)) is not None
