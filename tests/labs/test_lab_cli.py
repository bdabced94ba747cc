"""`minidock lab` as a learner and a teacher type it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.labs.watching import ANYWAY_SECONDS
from tests.kernel.playground_cli import HOME, eventually, needs_root, picture_of_the_machine

pytestmark = needs_root
NO_FILE = "[Errno 2] No such file or directory"


class Learner:
    """Somebody with a home of their own; playgrounds are named after the test's process and the learner."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, f"{name}{os.getpid()}"
        self.environment = {**os.environ, "XDG_STATE_HOME": str(home), "PYTHONPATH": str(HOME), "LANG": "C.UTF-8"}

    def command(self, *words: str) -> list[str]:
        """The whole command line: every lab command but these takes --name."""
        named = [] if words[0] in ("list", "race", "report", "selftest", "new") else ["--name", self.name]
        return [sys.executable, "-m", "minidock", "lab", words[0], *named, *words[1:]]

    def lab(self, *words: str, code: int = 0) -> str:
        """What it prints; it must end with the code."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, env=self.environment,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def leave(self) -> None:
        """Remove the playgrounds."""
        for desk in (self.home / "minidock/labs").glob("lab-*"):
            subprocess.run([sys.executable, "-m", "minidock", "playground", "rm", desk.name],
                           capture_output=True, env=self.environment, check=False)


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Learner]:
    """A learner."""
    learner = Learner(tmp_path, "ann")
    yield learner
    learner.leave()


def test_a_lab_from_the_start_to_the_report(ann: Learner) -> None:
    before = picture_of_the_machine()
    told = ann.lab("start", "01", "--seed", "s1")
    assert told.startswith("Predict first: ") and "Make a network namespace called" in told
    assert ann.lab("predict", "no") == "no\n"
    assert "✘" in ann.lab("check", code=1)
    assert ann.lab("hint").startswith("1/3  ")
    ann.lab("solve")
    passed = ann.lab("check")
    assert "3 of" not in passed and "Passed." in passed and "You predicted no. The packets agree." in passed
    assert "127.0.0.1" in ann.lab("explain")
    row = json.loads(ann.lab("report", "--json"))["labs"][0]
    assert (row["state"], row["checks"], row["hints"], row["assisted"], row["foretold"]) == ("passed", 2, 1, True, True)
    assert hashlib.sha256(Path(row["evidence"]).read_bytes()).hexdigest() == row["sha256"]
    assert next(csv.DictReader(ann.lab("report", "--csv").splitlines()))["sha256"] == row["sha256"]
    assert row["sha256"] in ann.lab("report", "--html")
    assert picture_of_the_machine() == before


def test_it_is_gone_on_with_from_another_terminal(ann: Learner) -> None:
    ann.lab("start", "02", "--seed", "s1")
    ann.lab("shell", "red", "ip", "address", "add", "10.9.9.9/32", "dev", "lo")
    assert "02 · A veth pair is a cable" in ann.lab("start", "02")
    assert "10.9.9.9" in ann.lab("shell", "red", "ip", "address")
    refused = ann.lab("start", "02", "--seed", "s2", code=4)
    assert refused == ("minidock: lab 02 is running, with the seed s1\nhint: go on with it: minidock lab task 02"
                       "   or begin anew: minidock lab reset 02 --seed s2\n")
    ann.lab("reset", "-f")
    assert "10.9.9.9" not in ann.lab("shell", "red", "ip", "address")


def test_what_the_playground_takes_with_it_is_told(ann: Learner) -> None:
    assert "no lab has been started" in ann.lab("check", code=3)
    ann.lab("start", "01")
    ann.leave()
    gone = ann.lab("check", code=3)
    assert "the playground of lab 01 is gone\nhint: minidock lab reset 01" in gone
    ann.lab("reset", "01", "-f")
    assert "✘" in ann.lab("check", code=1)


@pytest.mark.parametrize(("words", "said"), [
    (("start", "99"), "minidock: no lab 99\nhint: minidock lab list\n"),
    (("start", "01", "--faults", "2"), "minidock: lab 01 has no --faults 2\nhint: minidock lab start 01\n"),
    (("start", "/nowhere/1-x"), (f"minidock: /nowhere/1-x/lab.toml: {NO_FILE}: '/nowhere/1-x/lab.toml'\n"
                                "hint: minidock lab new NAME   shows how one looks\n")),
    (("race", "01", "ann"), ("minidock: a race is between two learners or more\n"
                             "hint: minidock lab race 01 ann bob\n")),
    (("new", "my lab"), ("minidock: a lab's folder is called as its number and name, not 'my lab'\n"
                        "hint: minidock lab new 20-my-lab\n")),
])
def test_bad_input_is_one_sentence_and_a_hint(ann: Learner, words: tuple[str, ...], said: str) -> None:
    code = 3 if "99" in words else 2
    assert ann.lab(*words, code=code) == said


def test_seeds_make_other_labs_and_the_same_seed_the_same(ann: Learner) -> None:
    tasks = [ann.lab("start", "01", "--seed", "s1")]
    for seed in ("s2", "s3", "s1"):
        ann.lab("reset", "-f", "--seed", seed)
        tasks.append(ann.lab("task"))
    steps = [text[text.index("1. "):text.index("ip netns exec")] for text in tasks]
    assert steps[0] == steps[3] and len({*steps}) == 3


def test_korean_is_spoken_where_it_is_asked_for(ann: Learner) -> None:
    told = ann.lab("start", "01", "--lang", "ko")
    assert "네임스페이스를 만드세요" in told and "$" not in told  # a particle after a variable is not of its name
    assert "증명 4개 중" in ann.lab("check", code=1)
    assert "1/3  `ip netns add 이름`" in ann.lab("hint")
    assert "proofs in" in ann.lab("check", "--lang", "en", code=1)


def test_what_is_solved_is_not_solved_again(ann: Learner) -> None:
    """Stage by stage, by the learner or by the solution; afterwards there is nothing left to do."""
    ann.lab("start", "05")
    ann.lab("solve", "--stage", "1")
    assert "Stage 1 of 3 is passed." in ann.lab("check", "--stage", "1")
    ann.lab("solve", "--stage", "2")
    ann.lab("solve")
    assert "Passed." in ann.lab("check")
    ann.lab("solve", code=4)
    ann.lab("reset", "-f")
    ann.lab("solve", "--stage", "1")


def test_a_learner_in_the_playgrounds_own_shell_can_check(ann: Learner) -> None:
    ann.lab("start", "01")
    ann.lab("solve")
    line = ("minidock lab check; minidock lab reset -f;"
            " ip netns exec $(ls /run/netns | grep -v internet) minidock lab check")
    inside = ["enter", f"lab-01-{ann.name}", "sh", "-c", line]
    done = subprocess.run([sys.executable, "-m", "minidock", "playground", *inside], capture_output=True, text=True,
                          env=ann.environment, timeout=60, check=False)
    assert done.stdout.count("Passed.") == 2 and "this shell stands in the playground" in done.stderr


def test_watching_ticks_when_it_is_done(ann: Learner) -> None:
    """In a terminal: the check fails and is silent, the solution is done elsewhere, the watch sees it at once."""
    ann.lab("start", "01")
    terminal, end = pty.openpty()
    watching = subprocess.Popen(ann.command("check", "--watch"), stdin=end, stdout=end, stderr=end, env=ann.environment)
    os.close(end)
    seen = _read_until(terminal, "q quit\r\n")
    assert "✘" in seen
    assert not select.select([terminal], [], [], 1.0)[0]
    ann.lab("solve")
    solved = time.monotonic()
    assert "Passed." in _read_until(terminal, "Passed.")
    assert time.monotonic() - solved < ANYWAY_SECONDS / 2
    assert watching.wait(20) == 0
    os.close(terminal)


def _read_until(terminal: int, wanted: str) -> str:
    seen, deadline = b"", time.monotonic() + 30
    while wanted.encode() not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    return seen.decode(errors="replace")


def test_who_passes_first_wins_the_race(ann: Learner) -> None:
    """Each has other values, and a referee who sees what is done; the ranking is by time, not by name."""
    before = picture_of_the_machine()
    names = [f"{name}{ann.name}" for name in ("a", "b")]
    race = subprocess.Popen(ann.command("race", "01", *names, "--format", "json"), env=ann.environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    for name in reversed(names):
        state = ann.home / f"minidock/labs/lab-01-{name}/state.json"
        assert eventually(lambda state=state: state.exists() and bool(json.loads(state.read_text())["checks"]), 20)
        ann.lab("solve", "01", "--name", name)
        assert eventually(lambda state=state: bool(json.loads(state.read_text())["passed"]), 20)
    first, second = json.loads(race.communicate(timeout=20)[0])["ranking"]
    assert [first["name"], second["name"]] == names[::-1] and 0 < first["seconds"] < second["seconds"]
    assert first["proven"] == second["proven"] == "4/4" and race.returncode == 0
    assert "has begun lab 01 already\nhint: minidock playground rm lab-01-" in ann.lab("race", "01", *names, code=4)
    seeds = {row["seed"] for row in json.loads(ann.lab("report", "--json"))["labs"]}
    ann.leave()
    assert seeds == {*names} and picture_of_the_machine() == before


def test_a_race_is_over_by_q(ann: Learner) -> None:
    """In a terminal the standing is there all the time."""
    names = [f"{name}{ann.name}" for name in ("a", "b")]
    terminal, end = pty.openpty()
    race = subprocess.Popen(ann.command("race", "01", *names), stdin=end, stdout=end, stderr=end, env=ann.environment)
    os.close(end)
    seen = _read_until(terminal, "1/4, 0 hints")
    assert f"minidock lab shell --lab 01 --name {names[1]}" in _read_until(terminal, "q quit") + seen
    os.write(terminal, b"q")
    assert race.wait(20) == 1
    os.close(terminal)


def test_a_start_that_is_killed_is_begun_anew(ann: Learner) -> None:
    starting = subprocess.Popen(ann.command("start", "03"), env=ann.environment, stdout=subprocess.DEVNULL)
    assert eventually(lambda: (ann.home / "minidock/labs" / f"lab-03-{ann.name}" / "state.json").exists(), 20)
    starting.send_signal(signal.SIGKILL)
    starting.wait()
    ann.lab("start", "03")
    assert "3 · " in ann.lab("task") and "✘" in ann.lab("check", code=1)


def test_a_new_lab_is_an_honest_one(ann: Learner, tmp_path: Path) -> None:
    folder = tmp_path / "20-mine"
    assert "TEACHERS.md" in ann.lab("new", str(folder))
    assert "✘" not in ann.lab("selftest", str(folder))
    ann.environment["MINIDOCK_LABS"] = str(tmp_path)
    assert "20           A host answers" in ann.lab("list")
    (folder / "solution.sh").write_text("true\n")
    assert "the check refuses the solution" in ann.lab("selftest", str(folder), code=1)


def test_a_class_of_twenty_at_once(tmp_path: Path) -> None:
    """Each has another seed, solves, and is proven; nobody is in another's way."""
    learners = [Learner(tmp_path, f"s{number}x") for number in range(20)]
    try:
        for words, good in ((("start", "03"), 0), (("solve", "03"), 0), (("check", "03"), 0)):
            jobs = [subprocess.Popen(each.command(*words), env=each.environment, stdout=subprocess.PIPE, text=True,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) for each in learners]
            told = [job.communicate(timeout=120)[0] for job in jobs]
            assert [job.returncode for job in jobs] == [good] * 20, "\n".join(told)
        rows = json.loads(learners[0].lab("report", "--json"))["labs"]
        assert [row["state"] for row in rows] == ["passed"] * 20
    finally:
        for learner in learners:
            learner.leave()
