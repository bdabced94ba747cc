"""Every option of a network and of an attachment is used in a lab, or it is said why no lab can teach it."""

from __future__ import annotations

import pytest

from tests.labs.coverage import labs_of, lines

UNTAUGHT = {
    "net create --attachable": "it changes nothing: it is kept and shown, as in Docker",
    "net create --scope": "it has one value",
    "net create --label": "no packet is different for it",
}
SAID = lines()
LABS = labs_of(SAID)


def test_every_option_is_taught() -> None:
    assert {name for name, labs in LABS.items() if not labs} == set(UNTAUGHT)


@pytest.mark.parametrize("name", [name for name, labs in LABS.items() if labs])
def test_an_option_that_is_taken_out_of_its_labs_is_missed(name: str) -> None:
    word = name.rpartition(" ")[2].lstrip("-")
    others = [(lab, line.replace(word, "")) for lab, line in SAID]
    assert labs_of(others)[name] == []
