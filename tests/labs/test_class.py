"""scripts/class: a lab for everybody, everybody back at its start, the reports."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground import COMMAND, Host

CLASS = Path(__file__).resolve().parent.parent.parent / "scripts/class"
LEARNERS = ("ann", "bob")


@pytest.fixture
def desks(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the desks of this account are, for the test; the class's playgrounds go with it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(host.directory / "state"))
    monkeypatch.setenv("MINIDOCK", str(Path(COMMAND[0]).with_name("minidock")))
    yield host.directory / "state/minidock/labs"
    host.minidock("playground", "rm", *(f"lab-01-{learner}" for learner in LEARNERS), check=False)


def teach(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(CLASS), *words], capture_output=True, text=True, check=False, timeout=120)


def test_a_class_of_two(host: Host, desks: Path) -> None:
    """Both start; one solves it, is put back, solves it again; their reports are in one place with her frames."""
    started = teach("start", "01", *LEARNERS)
    assert (started.returncode, started.stdout) == (0, "ann: lab start 01\nbob: lab start 01\n"), started
    host.minidock("lab", "solve", "01", "--name", "ann")
    assert teach("reset", "01", "ann").stdout == "ann: lab reset -f 01\n"
    assert host.minidock("lab", "check", "01", "--name", "ann", check=False).returncode == 1
    host.minidock("lab", "solve", "01", "--name", "ann")
    host.minidock("lab", "check", "01", "--name", "ann")

    reports = host.directory / "reports"
    for _ in range(2):  # again: what was there is replaced
        assert teach("collect", str(reports)).returncode == 0
    mine = next(reports.iterdir())
    labs = json.loads((mine / "report.json").read_text())["labs"]
    assert [(lab["name"], lab["state"]) for lab in labs] == [("lab-01-ann", "passed"), ("lab-01-bob", "started")]
    assert sorted(os.listdir(mine / "lab-01-ann/evidence")) == sorted(os.listdir(desks / "lab-01-ann/evidence"))


def test_mistakes_name_their_learner(desks: Path) -> None:
    """Nothing to do; a lab that is not; a name that cannot be one; an account that is not."""
    nothing = teach()
    assert nothing.returncode == 2 and nothing.stderr.count("scripts/class ") == 3, nothing
    wrong = teach("start", "99", "ann", "x/y")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "ann: minidock: no lab 99\n" in wrong.stderr and wrong.stderr.endswith("class: 2 of 2 failed\n")
    unknown = teach("collect", str(desks.parent / "reports"), "nobody-here")
    assert unknown.returncode == 1 and "user nobody-here does not exist" in unknown.stderr
    assert not list((desks.parent / "reports").iterdir())
