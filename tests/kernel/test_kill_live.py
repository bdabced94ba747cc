"""kill -9 of connect, disconnect, port add and port rm at every step: the next command brings all into agreement.

Kernel, rows, the monitor's sockets, files and configuration are as before the killed command or as after it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground import Host, until
from tests.kernel.aftermath import disagreements, mend, tidied
from tests.kernel.cutter import do
from tests.kernel.killing import EFFECTS, LONG, PAGES, Call, calls, killed_before, points
from tests.kernel.live_jobs import JOBS, Job, remove
from tests.kernel.live_stage import come_to, live_picture, pinned, settled_live_picture, unlike

SHORT = {"connect": 5, "connect, the first with names": 2, "disconnect": 4, "port add": 4, "port rm": 3}


@pytest.fixture
def ready(host: Host) -> Iterator[Host]:
    with pinned(host, "kill"):
        yield host


def kill_everywhere(host: Host, name: str, most: int) -> int:
    """Kill one command at its points; how many there were."""
    job = JOBS[name]
    do(job.first)
    before = settled_live_picture(host)
    found = calls(host, f"{EFFECTS},{PAGES}", *job.words)
    after = settled_live_picture(host)
    assert after != before
    stands = False
    picked = points(name, found, most)
    for call in picked:
        if not stands:
            do(*job.back)
            assert (seen := come_to(host, before)) == before, unlike(seen, before)
        stands = _one(host, job, call, [before, after], f"{name}, killed at {call}")
    do(remove)
    return len(picked)


def _one(host: Host, job: Job, call: Call, wanted: list[dict[str, object]], where: str) -> bool:
    """Kill once and judge; is all as it was before the command?"""
    died = killed_before(call, *job.words)
    seen = until(lambda: (tidied(), live_picture(host))[1], lambda look: look in wanted, 5)
    assert seen in wanted, f"{where}:\n{unlike(seen, *wanted)}"
    assert died or seen == wanted[1], where
    assert mend() == [], f"{where}: repair found something to do"
    assert disagreements(host) == [], where
    return seen == wanted[0]


def test_killed_at_some_points(ready: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A seeded sample over all commands."""
    number = sum(kill_everywhere(ready, name, most) for name, most in SHORT.items())
    with capsys.disabled():
        print(f" killed at {number} points;", end="")
    assert number > sum(SHORT.values()) if LONG else number == sum(SHORT.values())


@pytest.mark.long
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_every_point(ready: Host, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    number = kill_everywhere(ready, name, 0)
    do(JOBS[name].first)
    with capsys.disabled():
        print(f" {name}: killed at {number} points;", end="")
    assert number >= 50
