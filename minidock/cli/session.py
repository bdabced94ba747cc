"""What every command begins and ends with: minidock opened, the story told. Without click, for `run` goes without."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator

from minidock.app.context import App
from minidock.errors import BadRequest


@contextlib.contextmanager
def opened(dry: bool = False, lingering: bool = False, tidy: bool = True) -> Iterator[App]:
    """minidock's state and kernel for one command; what killed commands left is put right first."""
    app = App(dry, lingering)
    try:
        if tidy:
            from minidock.app import networks, repair

            for item in repair.tidy(app):
                print(f"minidock: {item.what}: {item.done}", file=sys.stderr)
            if networks.lacks_predefined(app):  # in a rehearsal too: what it chooses must be what is chosen later
                networks.ensure_predefined(app)
        yield app
    finally:
        app.close()


def tell(app: App, title: str, explain: bool, script: str | None) -> None:
    """Print the story of a command, if asked to."""
    if not (explain or app.dry or script):
        return
    from minidock.views import explain as view

    if explain or (app.dry and script != "-"):
        print(view.narrative(title, app.story.steps, app.dry), file=sys.stdout if app.dry else sys.stderr)
    if script:
        text = view.script(title, app.story.steps)
        if script == "-":
            print(text, end="")
        else:
            _write(script, text)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {error.strerror}", "name another file: --script FILE") from error


def pairs(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """key=value words; the value may be missing."""
    return tuple((key, value) for key, _, value in (word.partition("=") for word in words))
