"""A lab as its author wrote it: one folder, read here and nowhere else.

    01-namespace/
      lab.toml                  title, objective, variables, the prediction, what the kernel must have
      words.toml                the sentences of the proofs and of the mistakes, en and ko
      hints.toml                [[hint]] en, ko: from a nudge to nearly the answer
      task.en.md  task.ko.md    explain.en.md  explain.ko.md
      start.sh                  the start state          solution.sh (or solution-1.sh, -2.sh … one a stage)
      wrong/*.sh                each with the comments   # fails: PROOF   and   # mistake: MISTAKE
      mutation/*.sh             after the solution: must make the check fail
      check.py                  def check(lab): … the proofs
      draw.py                   def draw(values): … more values, which follow from those of lab.toml (may be missing)
"""

from __future__ import annotations

import os
import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidock.errors import BadRequest, NotFound
from minidock.labs.seeds import filled
from minidock.model.record import Record

HERE = Path(__file__).parent
LANGUAGES = ("en", "ko")


class Wrong(Record):
    """A wrong solution: the proof it must fail, the mistake it must be told."""

    path: Path
    fails: str
    mistake: str
    predict: str | None = None  # with another prediction than the right one


class Folder:
    """One lab."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.name = self.path.name
        self.number, _, self.slug = self.name.partition("-")
        self.settings = self._toml("lab.toml")
        self.words = self._toml("words.toml") if (self.path / "words.toml").exists() else {}

    def _toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadRequest(f"{self.path / name}: {error}", "minidock lab new NAME   shows how one looks") from error

    @property
    def stages(self) -> int:
        """How many stages it has."""
        return int(self.settings.get("stages", 1))

    @property
    def needs(self) -> tuple[str, ...]:
        """What the kernel must have: ipvlan, vlan, dummy, netem."""
        return tuple(self.settings.get("needs", ()))

    @property
    def lan(self) -> bool:
        """Does its playground have a LAN?"""
        return bool(self.settings.get("lan", False))

    @property
    def variables(self) -> dict[str, Any]:
        """Declared in [vars]; see `seeds`."""
        return dict(self.settings.get("vars", {}))

    @property
    def options(self) -> dict[str, list[Any]]:
        """What `lab start --faults/--level` may choose, declared in [options]: the values, the first is the default."""
        return dict(self.settings.get("options", {}))

    @property
    def predict(self) -> dict[str, Any]:
        """The prediction: question, answer, why."""
        return dict(self.settings.get("predict", {}))

    def title(self, language: str) -> str:
        """Its title."""
        return said(self.settings.get("title", self.slug), language)

    def objective(self, language: str) -> str:
        """What one learns by it."""
        return said(self.settings.get("objective", ""), language)

    def text(self, name: str, language: str, values: dict[str, Any]) -> str:
        """task or explain, with the learner's values in it; in English if it is not told in the language."""
        for each in (language, "en"):
            file = self.path / f"{name}.{each}.md"
            if file.exists():
                return filled(file.read_text(encoding="utf-8"), values)
        return ""

    def hints(self, language: str, values: dict[str, Any]) -> list[str]:
        """All hints, the smallest first."""
        if not (self.path / "hints.toml").exists():
            return []
        return [filled(said(hint, language), values).strip() for hint in self._toml("hints.toml").get("hint", [])]

    def word(self, kind: str, key: str, language: str, values: dict[str, Any]) -> str:
        """The sentence of a proof or mistake; the key itself if words.toml has none."""
        return filled(said(self.words.get(kind, {}).get(key, key), language), values).strip()

    def script(self, name: str) -> Path:
        """One of its scripts; NotFound if it has none."""
        path = self.path / name
        if not path.exists():
            raise NotFound(f"lab {self.name} has no {name}", f"ls {self.path}")
        return path

    def solutions(self, stage: int | None = None) -> list[Path]:
        """The scripts that solve it up to a stage, in order."""
        if self.stages == 1:
            return [self.script("solution.sh")]
        return [self.script(f"solution-{number}.sh") for number in range(1, (stage or self.stages) + 1)]

    def wrongs(self) -> list[Wrong]:
        """The wrong solutions."""
        return [_wrong(path) for path in sorted((self.path / "wrong").glob("*.sh"))]

    def mutations(self) -> list[Path]:
        """The scripts after which a passed check must fail."""
        return sorted((self.path / "mutation").glob("*.sh"))

    def derived(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values that draw.py makes of the others."""
        path = self.path / "draw.py"
        made: dict[str, Any] = runpy.run_path(str(path))["draw"](values) if path.exists() else {}
        return made

    def check(self) -> Callable[[Any], None]:
        """check.py's function `check`."""
        path = self.script("check.py")
        try:
            check: Callable[[Any], None] = runpy.run_path(str(path))["check"]
        except (SyntaxError, ImportError, NameError, KeyError) as error:
            raise BadRequest(f"{path}: {error}", "it must define check(lab)") from error
        return check


def said(text: Any, language: str) -> str:
    """A text that may be a table of languages."""
    return str(text.get(language) or text.get("en", "")) if isinstance(text, dict) else str(text)


def _wrong(path: Path) -> Wrong:
    marks = {key: value.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")
             for key, colon, value in [line[2:].partition(":")] if colon}
    if not {"fails", "mistake"} <= marks.keys():
        raise BadRequest(f"{path} does not say what it must earn", "# fails: PROOF   and   # mistake: MISTAKE")
    return Wrong(path, marks["fails"], marks["mistake"], marks.get("predict"))


def shelves() -> list[Path]:
    """The directories that hold labs: minidock's own, and those in MINIDOCK_LABS (as PATH)."""
    return [HERE, *(Path(part) for part in os.environ.get("MINIDOCK_LABS", "").split(":") if part)]


def every() -> list[Folder]:
    """All labs, by number."""
    return [Folder(file.parent) for shelf in shelves() for file in sorted(shelf.glob("[0-9]*/lab.toml"))]


def find(word: str) -> Folder:
    """A lab by number (1, 01), name (namespace, 01-namespace) or path (./my-lab)."""
    if "/" in word or word == ".":
        return Folder(Path(word))
    wanted = word.zfill(2) if word.isdigit() else word
    paths = [file.parent for shelf in shelves() for file in sorted(shelf.glob("[0-9]*/lab.toml"))]
    for path in paths:
        number, _, slug = path.name.partition("-")
        if wanted in (path.name, number, slug):
            return Folder(path)
    raise NotFound(f"no lab {word}", "minidock lab list")
