"""Every lab is honest: `minidock lab selftest` of each, a fact at a time. What its kernel must have, a lane has."""

from __future__ import annotations

import pytest

from minidock.labs import folder
from minidock.labs.folder import Folder
from minidock.labs.selftest import Selftest
from minidock.probes import trial
from tests.kernel.playground_cli import needs_root


def _param(lab: Folder) -> object:
    marks = [needs_root] if not lab.needs else [needs_root, pytest.mark.kernel(*lab.needs)]
    return pytest.param(lab, id=lab.name, marks=marks)


@pytest.mark.parametrize("lab", [_param(lab) for lab in folder.every()])
def test_a_lab_is_honest(lab: Folder) -> None:
    trial.warm()
    wrong = [f"{fact.what}: {fact.wrong}" for fact in Selftest(lab).run() if fact.wrong]
    assert not wrong, "\n".join(wrong)
