"""Lab 16: every draw can be solved as recorded, and neither by flushing nor by making anew; every fault is seen.

    ten seeds always, one to three faults each, easy and hard; a hundred in the long form
    the catalogue's faults one by one, the recorded repair between them, in the long form
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minidock.labs import course, folder, inside, telling
from minidock.labs import desk as desks
from minidock.labs.desk import Desk
from minidock.probes import trial
from tests.kernel.playground_cli import needs_root

LAB = folder.find("16")
CATALOGUE = tomllib.loads((LAB.path / "faults.toml").read_text(encoding="utf-8"))
FAULTS = CATALOGUE["fault"]
SETTLE_SECONDS = 6.0
FLUSH = "iptables-save > /run/lab/rules; iptables -F"
UNFLUSH = "iptables-restore < /run/lab/rules"
REBUILD = (LAB.path / "wrong" / "rebuild.sh").read_text(encoding="utf-8")


class Patient:
    """A playground of lab 16."""

    def __init__(self, seed: str, options: dict[str, Any], **changed: Any) -> None:
        state = desks.fresh(LAB, seed, "en", options)
        self.desk = Desk(f"lab-16-test-{os.getpid()}", {**state, "ready": True})
        self.drawn = dict(self.desk.values)
        self.desk.values.update(changed)

    @contextmanager
    def admitted(self) -> Iterator[Patient]:
        """It lives until the end of the block."""
        trial.warm()
        try:
            course.raise_ground(self.desk)
            yield self
        finally:
            course.remove(self.desk.playground)

    def suffers(self, number: int) -> None:
        """Only this fault of the catalogue is what the lab knows of."""
        self.desk.values = {**self.drawn, **LAB.derived({**self.drawn, "_ONLY": number})}

    def do(self, tmp_path: Path, text: str) -> None:
        """Run it as one of the lab's scripts."""
        script = tmp_path / "script.sh"
        script.write_text(text, encoding="utf-8")
        environment = self.desk.environment
        ran = inside.within(self.desk.playground, lambda: inside.script(script, environment))
        assert not ran.code, f"{text}: {ran.output}"

    def repaired(self, tmp_path: Path) -> None:
        """What is recorded is typed, and the diagnosis told."""
        self.do(tmp_path, (LAB.path / "solution.sh").read_text(encoding="utf-8"))
        self.desk.state["prediction"] = course.answers(self.desk)[0]

    def checked(self, good: Callable[[Any], bool]) -> Any:
        """The verdict that is good, or the last when the time is over."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            verdict = course.check(self.desk, keep=False)
            if good(verdict) or time.monotonic() > deadline:
                return verdict

    def well(self) -> bool:
        """Does the check pass?"""
        verdict = self.checked(lambda verdict: verdict.passed)
        assert verdict.passed, telling.verdict(self.desk, verdict, "en")
        return True

    def told(self, mistake: str, *broken: str) -> bool:
        """Does it fail these proofs, and say so?"""
        verdict = self.checked(lambda verdict: verdict.mistake == mistake and {*broken} <= failed(verdict))
        assert verdict.mistake == mistake and {*broken} <= failed(verdict), telling.verdict(self.desk, verdict, "en")
        return True


def failed(verdict: Any) -> set[str]:
    """The keys of the proofs that are not proven."""
    return {outcome.key for outcome in verdict.outcomes if outcome.verdict != "proven"}


def case(number: int) -> tuple[str, dict[str, Any]]:
    """The seed of that number, and options that go with it."""
    return f"case {number}", {"faults": 1 + number % 3, "level": ("easy", "hard")[number // 3 % 2]}


def treat(number: int, tmp_path: Path) -> None:
    """Broken at first; flushed, it is worse; repaired, it is well; made anew, it is not what it was."""
    patient = Patient(*case(number))
    with patient.admitted():
        assert patient.told("broken", "repaired", "twin", *patient.desk.values["_BREAKS"])
        patient.do(tmp_path, FLUSH)
        assert patient.told("flushed", "published", "apart", "out-api", "twin")
        patient.do(tmp_path, UNFLUSH)
        patient.repaired(tmp_path)
        assert patient.well()
        patient.do(tmp_path, REBUILD)
        assert patient.told("rebuilt", "same")


@needs_root
@pytest.mark.parametrize("number", range(10))
def test_a_draw_is_solved_by_repair_only(number: int, tmp_path: Path) -> None:
    treat(number, tmp_path)


@needs_root
@pytest.mark.long
@pytest.mark.parametrize("number", range(10, 100))
def test_a_hundred_draws_are_solved_by_repair_only(number: int, tmp_path: Path) -> None:
    treat(number, tmp_path)


@needs_root
@pytest.mark.long
def test_every_fault_is_seen_and_repaired(tmp_path: Path) -> None:
    patient = Patient("every", {}, _INJECT=":")
    with patient.admitted():
        for number in range(len(FAULTS)):
            patient.suffers(number)
            patient.desk.state["prediction"] = ""
            patient.do(tmp_path, '. /run/lab/words.sh\neval "$_INJECT"\nbash /run/lab/picture.sh >/run/lab/broken\n')
            assert patient.told("broken", "repaired", "twin", FAULTS[number]["breaks"]), FAULTS[number]
            patient.repaired(tmp_path)
            assert patient.well(), FAULTS[number]


def drawn(seed: str, faults: int, level: str) -> list[str]:
    """The names of what a learner gets."""
    desk = Desk("lab-16-drawn", desks.fresh(LAB, seed, "en", {"faults": faults, "level": level}))
    return str(desk.values["_NAMES0"]).split(", ")


def test_faults_of_one_draw_share_neither_rung_nor_object() -> None:
    for seed in map(str, range(50)):
        for level in ("easy", "hard"):
            names = drawn(seed, 3, level)
            assert len({word for name in names for word in name.split()}) == 6, names


def test_every_fault_is_drawn_by_somebody() -> None:
    desk = Desk("lab-16-drawn", desks.fresh(LAB, "s", "en", {"faults": 3, "level": "hard"}))
    every = {LAB.derived({**desk.values, "_ONLY": number})["_INJECT"] for number in range(len(FAULTS))}
    seen = "\n".join(LAB.derived({**desk.values, "SEED": str(seed)})["_INJECT"] for seed in range(300))
    assert not [inject for inject in every if inject not in seen]


def test_the_catalogue_is_whole() -> None:
    keys = {"name", "level", "breaks", "symptom", "inject", "healthy", "fix"}
    for fault in FAULTS:
        assert fault.keys() == keys and all(fault.values()), fault
        assert fault["level"] in ("easy", "hard") and fault["breaks"] in LAB.words["proof"], fault
        assert {"en", "ko"} <= CATALOGUE["symptom"][fault["symptom"]].keys(), fault
        assert {fault["name"].split()[1]} <= {"api", "db", "host"}, fault
    assert len(FAULTS) >= 24


def test_the_names_of_one_draw_may_come_in_any_order() -> None:
    desk = Desk("lab-16-drawn", desks.fresh(LAB, "s", "en", {"faults": 3, "level": "hard"}))
    assert len(set(course.answers(desk))) == 6
