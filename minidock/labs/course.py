"""The use cases: start a lab, check it, give a hint, begin it anew, solve it."""

from __future__ import annotations

import contextlib
import time
from hashlib import sha256
from typing import Any

from minidock.errors import BadRequest, Conflict, MinidockError, NotFound, Unsupported
from minidock.labs import desk as desks
from minidock.labs import inside
from minidock.labs.desk import Desk
from minidock.labs.folder import Folder
from minidock.labs.seeds import filled
from minidock.playground import registry, visit

_LAN_RENEW_SECONDS = 1800


def start(folder: Folder, student: str, seed: str, language: str, options: dict[str, Any]) -> Desk:
    """The lab's desk, its playground in the start state; one that lives is gone on with."""
    _allowed(folder, options)
    desk = desks.new(folder, student, seed, language or "en", options)
    desk.directory.mkdir(parents=True, exist_ok=True)
    with desk.occupied():
        found = desks.existing(desk.playground)
        if found and found.alive and found.state["ready"]:
            _same(found, folder, seed, options)
            found.note(language=language or found.language)
            desks.set_current(found)
            return found
        if found and not seed and found.folder.name == folder.name:
            desk = desks.new(folder, student, found.state["seed"], language or found.language, options)
        _build(desk)
    return desk


def _same(found: Desk, folder: Folder, seed: str, options: dict[str, Any]) -> None:
    """Raise if what runs is not what was asked for."""
    number = folder.number
    if found.folder.name != folder.name:
        raise Conflict(f"{found.playground} is the playground of lab {found.folder.name}",
                       f"minidock playground rm {found.playground}   or: minidock lab start {folder.name} --name OTHER")
    if (seed and seed != found.state["seed"]) or (options and options != found.state["options"]):
        raise Conflict(f"lab {number} is running, with the seed {found.state['seed']}",
                       f"go on with it: minidock lab task {number}   or begin anew: minidock lab reset {number}"
                       f" --seed {seed or found.state['seed']}")


def _allowed(folder: Folder, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if value not in folder.options.get(name, []):
            choices = ", ".join(str(each) for each in folder.options.get(name, []))
            raise BadRequest(f"lab {folder.number} has no --{name} {value}",
                             f"--{name} is one of {choices}" if choices else f"minidock lab start {folder.number}")


def _build(desk: Desk) -> None:
    """Make its playground and remember it, if this kernel can do it; call with the desk occupied."""
    desks.clear(desk)
    try:
        raise_ground(desk)
    except Unsupported:
        desks.forget(desk)
        raise
    desk.note(ready=True)


def raise_ground(desk: Desk) -> None:
    """Make its playground, tools and start state in it; one of that name goes first."""
    remove(desk.playground)
    try:
        desk.notes = visit.make(desk.playground, _LAN_RENEW_SECONDS if desk.folder.lan else None)[1]
    except Unsupported as error:
        hint = error.hint.replace("minidock playground …", f"minidock lab start {desk.folder.number}")
        raise Unsupported(error.what, hint) from error
    wanted = desk.folder.needs
    missing = inside.within(desk.playground, lambda: inside.furnished(wanted))
    if missing:
        remove(desk.playground)
        raise Unsupported(f"lab {desk.folder.number} needs {', '.join(missing)}, and this kernel has none",
                          "run it on a machine, or in a virtual machine, with a distribution's kernel")
    ran = run(desk, "start.sh") if (desk.folder.path / "start.sh").exists() else None
    if ran and ran.code:
        raise MinidockError(f"lab {desk.folder.number}: its start state could not be made: {ran.output.strip()[-500:]}",
                            f"minidock lab reset {desk.folder.number}")


def remove(playground: str) -> None:
    """Remove its playground; absence is forgiven."""
    with contextlib.suppress(NotFound):
        registry.remove(playground)


def run(desk: Desk, script: str) -> inside.Ran:
    """Run one of the lab's scripts in its playground."""
    path = desk.folder.script(script)
    environment = desk.environment
    ran: inside.Ran = inside.within(desk.playground, lambda: inside.script(path, environment))
    return ran


def need_alive(desk: Desk) -> None:
    """Raise if its playground is gone, or was never ready."""
    if not (desk.state["ready"] and desk.alive):
        raise NotFound(f"the playground of lab {desk.folder.number} is gone",
                       f"minidock lab reset {desk.folder.number}   starts it anew, with the same seed")


def check(desk: Desk, stage: int | None = None, keep: bool = True) -> Any:
    """Prove the task by packets; a Verdict. To keep it is to record it with its frames."""
    need_alive(desk)
    folder, values, prediction = desk.folder, desk.values, desk.state["prediction"]
    verdict = inside.within(desk.playground, lambda: inside.judged(folder, values, stage or folder.stages, prediction))
    if keep:
        record(desk, verdict, stage or folder.stages)
    return verdict


def record(desk: Desk, verdict: Any, stage: int) -> None:
    """Keep a check with its frames; whether the stage, or the lab, is passed by it."""
    proofs = {outcome.key: outcome.verdict for outcome in verdict.outcomes}
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    desk.record({"time": now, "passed": verdict.passed, "stage": stage, "proofs": proofs,
                 "mistake": verdict.mistake, "seconds": round(verdict.seconds, 3),
                 "sha256": sha256(verdict.pcapng).hexdigest()}, verdict.pcapng)
    if verdict.passed:
        desk.note(reached=max(desk.state["reached"], stage))
    if verdict.passed and not desk.state["passed"] and stage == desk.folder.stages:
        desk.note(passed=now)


def hint(desk: Desk) -> tuple[int, int, str]:
    """The next hint: its number, how many there are, the text. After the last one, the last again."""
    hints = desk.folder.hints(desk.language, desk.values)
    if not hints:
        raise NotFound(f"lab {desk.folder.number} has no hints", "minidock lab explain")
    number = min(desk.state["hints"] + 1, len(hints))
    desk.note(hints=number)
    return number, len(hints), hints[number - 1]


def reset(desk: Desk, seed: str, options: dict[str, Any]) -> Desk:
    """Begin anew, with the same seed and options or others; prediction and hints stay as they were given."""
    _allowed(desk.folder, options)
    fresh = Desk(desk.playground, {**desk.state, "seed": seed or desk.state["seed"], "ready": False, "passed": "",
                                   "reached": 0, "options": {**desk.state["options"], **options}})
    with fresh.occupied():
        _build(fresh)
    return fresh


def solve(desk: Desk, stage: int | None = None) -> list[inside.Ran]:
    """Do what solution.sh does, from the stage that is reached up to another; marked in the report."""
    need_alive(desk)
    ran: list[inside.Ran] = []
    with desk.occupied():
        for number, script in enumerate(desk.folder.solutions(stage), 1):
            if number > desk.state["reached"]:
                ran.append(run(desk, script.name))
                if ran[-1].code:
                    break
                desk.note(reached=number)
    if not ran:
        raise Conflict(f"lab {desk.folder.number} is solved already", f"to begin anew: minidock lab reset"
                       f" {desk.folder.number}")
    desk.note(assisted=True)
    return ran


def predict(desk: Desk, answer: str) -> None:
    """Keep the learner's prediction; it must come before the packets have told."""
    if desk.state["passed"]:
        raise Conflict(f"lab {desk.folder.number} has been passed: a prediction comes before the proof",
                       f"minidock lab reset {desk.folder.number}")
    desk.note(prediction=answer)


def foretold(desk: Desk) -> bool | None:
    """Was the prediction right? None if there was none, or nothing to predict."""
    given, right = desk.state["prediction"], answers(desk)
    return _plain(given) in [_plain(answer) for answer in right] if given and right else None


def answers(desk: Desk) -> list[str]:
    """The right predictions: several ways of saying one."""
    right = desk.folder.predict.get("answer", [])
    return [filled(str(answer), desk.values) for answer in (right if isinstance(right, list) else [right])]


_YES_AND_NO = {"예": "yes", "네": "yes", "y": "yes", "아니오": "no", "아니요": "no", "n": "no"}


def _plain(answer: str) -> str:
    words = answer.lower().replace(",", " ").split()
    return " ".join(_YES_AND_NO.get(word, word) for word in words)
