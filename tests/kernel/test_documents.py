"""README.md and README.ko.md: every command shown is typed, every output shown is what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import documents
from tests.kernel.playground_cli import HOME, needs_root

pytestmark = needs_root
STAGES = [pytest.param(stage, id=f"{path.name}: {stage.section} {stage.playground}")
          for path in sorted(HOME.glob("README*.md")) for stage in documents.stages(path)]


@pytest.mark.parametrize("stage", STAGES)
def test_the_commands_of_a_document_print_what_it_says(stage: documents.Stage, tmp_path: Path) -> None:
    printed = documents.typed(stage, tmp_path)
    assert len(printed) == len(stage.commands), printed[-1]
    for command, text in zip(stage.commands, printed, strict=True):
        assert documents.agrees(command, text), (
            f"{command.prompt} {command.line}\n{text}\nbut the document says\n{command.printed}")


@pytest.mark.parametrize(("told", "printed", "agree"), [
    ("hello: you are 10.0.0.1:40000\n", "hello: you are 10.0.0.1:53124\n", True),
    ("hello: you are 10.0.0.1:40000\n", "hello: you are 10.0.0.2:40000\n", False),
    ("one\n…\nfour\n", "one\ntwo\nthree\nfour\n", True),
    ("one\n…\nfour\n", "one\ntwo\nthree\n", False),
    ("a … c\n", "a b c\n", True),
    ("0.0.0.0:8080\n", "0.0.0.0:8081\n", False),
    ("", "minidock: a sentence\n", False),
])
def test_only_what_varies_may_differ(told: str, printed: str, agree: bool) -> None:
    assert documents.agrees(documents.Command("$", "true", told), printed) is agree


def test_every_command_of_a_document_is_typed() -> None:
    """No block is of a form that is passed over."""
    for path in HOME.glob("README*.md"):
        shown = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("$ ")]
        commands = [command for stage in documents.stages(path) for command in stage.commands]
        assert [command.line for command in commands if command.prompt == "$"] == shown != []
