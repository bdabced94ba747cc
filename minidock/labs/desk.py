"""A learner's desk: what is kept of one lab, in a file, whatever becomes of the terminal or the machine.

    ~/.local/state/minidock/labs/lab-01/state.json, evidence/check-3.pcapng
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minidock.errors import NotFound
from minidock.labs.folder import Folder, find
from minidock.labs.seeds import drawn
from minidock.playground import registry
from minidock.store.locks import locked


def home() -> Path:
    """Where all desks are."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "minidock", "labs")


class Desk:
    """The state of one lab for one learner."""

    def __init__(self, playground: str, state: dict[str, Any]) -> None:
        self.playground, self.state = playground, state
        self.notes: list[str] = []  # what this machine did not allow its playground
        self.folder = Folder(Path(state["path"])) if Path(state["path"]).exists() else find(state["lab"])
        values = drawn(self.folder.variables, state["seed"], self.folder.name, _chosen(self.folder, state))
        self.values = {**values, **self.folder.derived(values)}

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return home() / self.playground

    @property
    def language(self) -> str:
        """en or ko."""
        return str(self.state["language"])

    @property
    def environment(self) -> dict[str, str]:
        """The learner's values, for scripts; in shells without those that begin with an underscore."""
        values = {name: str(value) for name, value in self.values.items()}
        return {**values, "MINIDOCK_SEED": f"{self.state['seed']}/{self.folder.name}"}

    @property
    def alive(self) -> bool:
        """Is its playground there?"""
        return os.environ.get("MINIDOCK_PLAYGROUND") == self.playground or any(
            room.name == self.playground for room in registry.alive())

    def refresh(self) -> None:
        """Read the state again: somebody may have changed it."""
        self.state = {**self.state, **(_read(self.playground) or {})}

    def note(self, **changes: Any) -> None:
        """Change the state, on disk too; whole or not at all."""
        with self.held():
            self.refresh()
            self.state = {**self.state, **changes}
            _write(self.playground, self.state)

    def record(self, check: dict[str, Any], evidence: bytes) -> None:
        """Keep one check with its frames."""
        with self.held():
            self.refresh()
            number = len(self.state["checks"]) + 1
            file = self.directory / "evidence" / f"check-{number}.pcapng"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(evidence)
            self.state["checks"] = [*self.state["checks"], {**check, "evidence": str(file)}]
            _write(self.playground, self.state)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock of its file, for a moment."""
        with locked(str(self.directory / ".lock")):
            yield

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """Hold the lock of its playground: nobody else starts, resets or solves it meanwhile."""
        with locked(str(self.directory / ".playground")):
            yield


def fresh(folder: Folder, seed: str, language: str, options: dict[str, Any]) -> dict[str, Any]:
    """The state of a lab that nobody has begun."""
    return {"lab": folder.name, "path": str(folder.path), "seed": seed, "language": language, "options": options,
            "ready": False, "hints": 0, "prediction": "", "assisted": False, "passed": "", "reached": 0,
            "checks": []}


def _chosen(folder: Folder, state: dict[str, Any]) -> dict[str, Any]:
    """The options' values as variables: FAULTS, LEVEL."""
    return {name.upper(): state["options"].get(name, values[0]) for name, values in folder.options.items()}


def name_of(folder: Folder, student: str) -> str:
    """The playground's name."""
    return registry.checked(f"lab-{folder.number}" + (f"-{student}" if student else ""))


def new(folder: Folder, student: str, seed: str, language: str, options: dict[str, Any]) -> Desk:
    """A fresh desk; nothing of an older one stays but its evidence."""
    return Desk(name_of(folder, student), fresh(folder, seed or student or login(), language, options))


def login() -> str:
    """The learner's name, the seed if none is given."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def clear(desk: Desk) -> None:
    """Put the desk's state on disk as it is, and remember that it is the current one."""
    desk.directory.mkdir(parents=True, exist_ok=True)
    with desk.held():
        _write(desk.playground, desk.state)
    set_current(desk)


def forget(desk: Desk) -> None:
    """As if nobody had begun it."""
    (desk.directory / "state.json").unlink(missing_ok=True)


def set_current(desk: Desk) -> None:
    """From here on commands that name no lab mean this one."""
    _replace(home() / ".current", desk.playground)


def existing(playground: str) -> Desk | None:
    """The desk of that name, if there is one."""
    state = _read(playground)
    return Desk(playground, state) if state else None


def every() -> list[Desk]:
    """All desks, by name."""
    names = sorted(file.parent.name for file in home().glob("*/state.json"))
    return [desk for name in names for desk in [existing(name)] if desk]


def current(lab: str, student: str) -> Desk:
    """The desk that a command means: of that lab, of the playground we stand in, or the one last started."""
    name = name_of(find(lab), student) if lab else os.environ.get("MINIDOCK_PLAYGROUND", "")
    desk = existing(name) if name else None
    if desk is None and not lab:
        with contextlib.suppress(OSError):
            desk = existing((home() / ".current").read_text())
    if desk is None:
        raise NotFound(f"lab {lab} has not been started" if lab else "no lab has been started",
                       f"minidock lab start {lab or '01'}" + (f" --name {student}" if student else ""))
    return desk


def _read(playground: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((home() / playground / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return found


def _write(playground: str, state: dict[str, Any]) -> None:
    _replace(home() / playground / "state.json", json.dumps(state, ensure_ascii=False, indent=1))


def _replace(file: Path, text: str) -> None:
    """The file is the old one or the new one, whole, whatever happens."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(text)
    os.replace(unfinished, file)
