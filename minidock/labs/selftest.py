"""Is a lab honest? It is played through in playgrounds of its own, as no learner would.

    the start state fails · the solution passes · every mutation of it fails · reset gives the same picture
    every wrong solution fails, and is told its own mistake · both languages · starts and checks are quick
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minidock.labs import course, inside, telling
from minidock.labs import desk as desks
from minidock.labs.desk import Desk
from minidock.labs.folder import LANGUAGES, Folder, Wrong
from minidock.model.record import Record

CHECK_SECONDS, START_SECONDS = 3.0, 5.0
_EMULATED_SLACK = 5.0
_SETTLE_SECONDS = 4.0  # a server of a container may need a moment until it listens
_LEAST_WRONGS = 3


class Fact(Record):
    """One thing that was tried, and what was wrong with it ("": nothing)."""

    what: str
    wrong: str
    seconds: float


class Selftest:
    """The trials of one lab. Its playgrounds are called lab-01-selftest-PID."""

    def __init__(self, folder: Folder, seed: str = "selftest", options: dict[str, Any] | None = None) -> None:
        self.folder, self.seed, self.options = folder, seed, options or {}
        self.slowest_check = self.slowest_start = 0.0

    def run(self) -> Iterator[Fact]:
        """Try everything, one fact after the other. What has only been looked at and checked is used again."""
        wrongs = self.folder.wrongs()
        yield _tried("folder is complete", self._missing)
        with self._ground() as desk:
            picture = _picture(desk)
            yield _tried("start state fails", lambda: self._start_fails(desk))
            for wrong in wrongs[:1]:
                yield self._refused(desk, wrong)
        with self._ground() as desk:
            yield _tried("reset is identical", lambda: _difference(picture, _picture(desk)))
            yield self._solved(desk)
            for mutation in self.folder.mutations()[:1]:
                yield self._mutated(desk, mutation)
        yield from self._apart(wrongs[1:])
        yield self._timely()

    def _apart(self, wrongs: Sequence[Wrong]) -> Iterator[Fact]:
        """The other mutations and wrong solutions, each in a playground of its own."""
        for mutation in self.folder.mutations()[1:]:
            with self._ground() as desk:
                self._solve(desk)
                yield self._mutated(desk, mutation)
        for wrong in wrongs:
            with self._ground() as desk:
                yield self._refused(desk, wrong)

    def _missing(self) -> str:
        folder = self.folder
        lacking = [f"{name}.{language}.md" for name in ("task", "explain") for language in LANGUAGES
                   if not (folder.path / f"{name}.{language}.md").exists()]
        lacking += [f"{table} {key} {language}" for table in ("proof", "mistake")
                    for key, text in folder.words.get(table, {}).items() for language in LANGUAGES
                    if not (isinstance(text, dict) and text.get(language))]
        lacking += ["predict"] if not folder.predict else []
        lacking += ["mutation/*.sh"] if not folder.mutations() else []
        wrongs = folder.wrongs()
        if len({wrong.mistake for wrong in wrongs}) < max(_LEAST_WRONGS, len(wrongs)):
            lacking.append(f"{_LEAST_WRONGS} wrong solutions, each with a mistake of its own")
        hints = [folder.hints(language, {}) for language in LANGUAGES]
        lacking += ["hints.toml"] if not all(hints) else []
        return f"missing: {', '.join(lacking)}" if lacking else ""

    @contextmanager
    def _ground(self) -> Iterator[Desk]:
        """A playground in the start state, without a desk on disk; gone afterwards."""
        state = desks.fresh(self.folder, self.seed, "en", self.options)
        desk = Desk(f"lab-{self.folder.number}-selftest-{os.getpid()}", {**state, "ready": True})
        began = time.monotonic()
        try:
            course.raise_ground(desk)
            self.slowest_start = max(self.slowest_start, time.monotonic() - began)
            yield desk
        finally:
            course.remove(desk.playground)

    def _check(self, desk: Desk, stage: int | None = None) -> Any:
        verdict = course.check(desk, stage, keep=False)
        self.slowest_check = max(self.slowest_check, verdict.seconds)
        for language in LANGUAGES:
            assert telling.verdict(desk, verdict, language, stage)
        return verdict

    def _settled(self, desk: Desk, good: Callable[[Any], bool], stage: int | None = None) -> Any:
        """Check until it is as it should be, or the time is over."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            verdict = self._check(desk, stage)
            if good(verdict) or time.monotonic() > deadline:
                return verdict

    def _start_fails(self, desk: Desk) -> str:
        stages = range(1, self.folder.stages + 1)
        passed = [stage for stage in stages if self._check(desk, stage).passed]
        return f"the check passes before anything is done (stage {passed[0]})" if passed else ""

    def _solve(self, desk: Desk) -> str:
        desk.state["prediction"] = (course.answers(desk) or [""])[0]
        for stage, script in enumerate(self.folder.solutions(), 1):
            ran = course.run(desk, script.name)
            if ran.code:
                return f"{script.name} ends with {ran.code}: {ran.output.strip()[-400:]}"
            verdict = self._settled(desk, lambda verdict: verdict.passed, stage)
            if not verdict.passed:
                return "the check refuses the solution:\n" + telling.verdict(desk, verdict, "en", stage)
        return ""

    def _solved(self, desk: Desk) -> Fact:
        return _tried("solution passes", lambda: self._solve(desk))

    def _mutated(self, desk: Desk, mutation: Any) -> Fact:
        def look() -> str:
            ran = course.run(desk, f"mutation/{mutation.name}")
            if ran.code:
                return f"it ends with {ran.code}: {ran.output.strip()[-400:]}"
            verdict = self._settled(desk, lambda verdict: not verdict.passed)
            return "the check still passes" if verdict.passed else ""

        return _tried(f"mutation {mutation.stem} fails", look)

    def _refused(self, desk: Desk, wrong: Wrong) -> Fact:
        def earned(verdict: Any) -> bool:
            failed = {outcome.key: outcome for outcome in verdict.outcomes if outcome.verdict != "proven"}
            return wrong.fails in failed and verdict.mistake == wrong.mistake

        def look() -> str:
            right = (course.answers(desk) or [""])[0]
            desk.state["prediction"] = right if wrong.predict is None else wrong.predict
            ran = course.run(desk, f"wrong/{wrong.path.name}")
            if ran.code:
                return f"it ends with {ran.code}: {ran.output.strip()[-400:]}"
            verdict = self._settled(desk, earned)
            if not earned(verdict):
                return (f"should fail {wrong.fails!r} by the mistake {wrong.mistake!r}; was told {verdict.mistake!r}:\n"
                        + telling.verdict(desk, verdict, "en"))
            return self._untold(desk, wrong)

        return _tried(f"wrong {wrong.path.stem} is told", look)

    def _untold(self, desk: Desk, wrong: Wrong) -> str:
        sentences = [self.folder.word("mistake", wrong.mistake, language, desk.values) for language in LANGUAGES]
        told = len(set(sentences)) == len(LANGUAGES)
        return "" if told else f"words.toml has no mistake.{wrong.mistake} in en and ko"

    def _timely(self) -> Fact:
        slow, slack = [], _slack()
        if self.slowest_check > CHECK_SECONDS * slack:
            slow.append(f"a check took {self.slowest_check:.1f} s")
        if self.slowest_start > START_SECONDS * slack:
            slow.append(f"a start took {self.slowest_start:.1f} s")
        return Fact(f"quick: start {self.slowest_start:.1f} s, check {self.slowest_check:.1f} s", ", ".join(slow), 0.0)


def _slack() -> float:
    """An emulated machine is so many times slower than those that learners have."""
    with open("/proc/cpuinfo") as processors:
        text = processors.read()
    return _EMULATED_SLACK if "User Mode Linux" in text or "QEMU" in text else 1.0


def _picture(desk: Desk) -> str:
    seen: str = inside.within(desk.playground, inside.picture)
    return seen


def _tried(what: str, look: Callable[[], str]) -> Fact:
    began = time.monotonic()
    return Fact(what, look(), time.monotonic() - began)


def _difference(first: str, second: str) -> str:
    import difflib

    return "\n".join(line for line in difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=0)
                     if not line.startswith(("---", "+++", "@@")))
