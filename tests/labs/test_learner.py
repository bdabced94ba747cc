"""Labs 01 to 08 as a learner does them: typed through a real terminal, first a mistake, then a hint, then rightly.

What is seen is kept in tests/golden/learner, to be read; what varies is masked.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.labs import course, folder
from minidock.labs.desk import Desk
from minidock.labs.seeds import filled
from tests.documents import masked
from tests.golden_text import agrees
from tests.kernel.playground_cli import needs_root, run
from tests.labs.terminal import ANSWER, Terminal

pytestmark = needs_root
SEED = "7"
MISTAKES = {"01": "listener-on-host", "02": "two-subnets", "03": "ageing-zero", "04": "only-down",
            "05": "everyone-masked", "06": "input-rule", "07": "leaked", "08": "switched-past"}


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A learner's."""
    with contextlib.closing(Terminal(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("number", MISTAKES)
def test_a_learner_does_a_lab(number: str, terminal: Terminal) -> None:
    lab = folder.find(number)
    desk = Desk("", {"path": str(lab.path), "lab": lab.name, "seed": SEED, "options": {}, "language": "en"})
    try:
        _begin(terminal, desk)
        _err(terminal, desk, lab.path / "wrong" / f"{MISTAKES[number]}.sh")
        _succeed(terminal, desk)
    finally:
        run("rm", f"lab-{number}")
    agrees(f"learner/{lab.name}.txt", _kept(terminal.seen))


def test_a_shell_in_a_namespace_says_where_it_is(terminal: Terminal) -> None:
    terminal.type("minidock lab start 02", ANSWER)
    terminal.type("")
    try:
        for place, device in (("red", "lo"), ("host", "up0"), ("internet", "gateway0")):
            assert terminal.type(f"minidock lab shell {place}").endswith(f"({place}) root@lab-02:~# ")
            assert f" {device}" in terminal.type("ip -br link | sed 's/^/ /'")
            terminal.type("exit")
    finally:
        run("rm", "lab-02")


def _begin(terminal: Terminal, desk: Desk) -> None:
    """The prediction is asked for and given, the task is read."""
    terminal.type(f"minidock lab start {desk.folder.number} --seed {SEED}", ANSWER)
    terminal.type(course.answers(desk)[0])
    assert _flat(desk.folder.text("task", "en", desk.values)) in _flat(terminal.type("minidock lab task"))


def _err(terminal: Terminal, desk: Desk, script: Path) -> None:
    """A wrong solution is told its own mistake; a hint follows, and the lab is begun anew."""
    mistake = re.findall(r"^# mistake: (\S+)", script.read_text(), re.MULTILINE)[0]
    terminal.type("minidock lab shell")
    _do(terminal, desk, script)
    told = terminal.type("minidock lab check")
    assert "▸ " + _flat(desk.folder.word("mistake", mistake, "en", desk.values)) in _flat(told)
    terminal.type("exit")
    assert _flat(desk.folder.hints("en", desk.values)[0]) in _flat(terminal.type("minidock lab hint"))
    terminal.type("minidock lab reset -f")


def _succeed(terminal: Terminal, desk: Desk) -> None:
    """Every stage passes, and the explanation is read."""
    solutions = desk.folder.solutions(None)
    terminal.type("minidock lab shell")
    for stage, script in enumerate(solutions, 1):
        _do(terminal, desk, script)
        last = stage == len(solutions)
        told = terminal.type("minidock lab check" + ("" if last else f" --stage {stage}"))
        assert (" Passed.\n" if last else f" Stage {stage} of {len(solutions)} is passed.") in told, told
        assert ("The packets agree." in told) is last
    terminal.type("exit")
    assert _flat(desk.folder.text("explain", "en", desk.values)) in _flat(terminal.type("minidock lab explain"))


def _do(terminal: Terminal, desk: Desk, script: Path) -> None:
    """Type a script line by line, with this learner's values in it."""
    for line in filled(script.read_text(encoding="utf-8"), desk.values).splitlines():
        if line and not line.startswith("#"):
            terminal.type(line)


def _flat(text: str) -> str:
    """However its lines are broken."""
    return " ".join(text.split())


def _kept(seen: str) -> str:
    text = re.sub(r"(?:^ {8}frame .*\n)+", "        frame …\n", masked(seen), flags=re.MULTILINE)
    return re.sub(r"\brun [a-z]+_[a-z]+ ·", "run NAME ·", text) + "\n"
