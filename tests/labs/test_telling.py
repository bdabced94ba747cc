"""Tasks and explanations as a terminal shows them: what is filled in has a length of its own."""

from __future__ import annotations

import pytest

from minidock.labs import folder, telling
from minidock.labs.folder import Folder

PAGES = [(lab, f"{name}.{language}.md") for lab in folder.every() for name in ("task", "explain")
         for language in ("en", "ko")]


@pytest.mark.parametrize(("lab", "page"), PAGES, ids=lambda part: part.name if isinstance(part, Folder) else part)
def test_no_line_is_long_and_no_word_is_lost(lab: Folder, page: str) -> None:
    text = (lab.path / page).read_text().replace("$", "longer-than-a-variable-")
    told = telling.flowed(text)
    assert told.split() == text.split()
    prose = [line for line in told.splitlines() if not line.startswith(("    ", "|"))]
    assert [line for line in prose if telling.width(line) > 100 and " " in line.strip()] == []


def test_lists_and_drawings_keep_their_shape() -> None:
    assert telling.flowed("one\ntwo\n\n1. three\n   four\n\n    a ─── b\n    c\n\n   five\n- six") == \
        "one two\n\n1. three four\n\n    a ─── b\n    c\n\n   five\n- six"


def test_a_command_is_not_broken() -> None:
    lines = telling.wrapped(f"{'word ' * 18}`minidock explain web`, and {'on ' * 40}`{'long ' * 30}`").splitlines()
    assert lines[1].startswith("`minidock explain web`, and")
    assert all(telling.width(line) <= 100 for line in lines)
