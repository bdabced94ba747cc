"""The cut test for what changes a running container: connect, disconnect, port add, port rm.

A cut before or after any effect; connect and port add take back what they did by themselves, at once; a removal that
has begun is finished by the next command. Kernel, rows, the monitor's sockets, files and
configuration agree: all as before, or all as after.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground import Host
from tests.kernel.aftermath import disagreements, mend, tidied
from tests.kernel.cutter import Outcome, attempt, chosen, do
from tests.kernel.live_jobs import JOBS, Job
from tests.kernel.live_stage import come_to, pinned, settled_live_picture, unlike


@pytest.fixture
def ready(host: Host) -> Iterator[Host]:
    with pinned(host, "cut"):
        yield host


@pytest.mark.parametrize("name", JOBS)
def test_a_cut_at_any_point_leaves_all_as_before_or_after(ready: Host, name: str,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    job = JOBS[name]
    do(job.first)
    before = settled_live_picture(ready)
    points = _whole(job)
    after = settled_live_picture(ready)
    assert after != before
    picked = chosen(points, 12, name)
    stands = False
    for cut in picked:
        if not stands:
            do(*job.back)
            assert (seen := come_to(ready, before)) == before, unlike(seen, before)
        outcome = attempt(job.work, cut)
        where = f"{name}, point {cut} of {points}: {outcome.reached}"
        assert (bool(outcome.reached), outcome.error) == (True, ""), where
        stands = _judge(ready, job, outcome, before, after, where) == before
    with capsys.disabled():
        print(f" {name}: {len(picked)} of {points} points;", end="")


def _whole(job: Job) -> int:
    """How many points the uncut work has."""
    outcome = attempt(job.work)
    assert (outcome.reached, outcome.error) == ("", "")
    return outcome.points


def _judge(host: Host, job: Job, outcome: Outcome, before: dict[str, object], after: dict[str, object],
           where: str) -> dict[str, object]:
    """Check what the cut left; what it is like in the end."""
    wanted = [before] if job.builds and not outcome.done else [before, after]
    if job.builds:
        seen = come_to(host, *wanted)
        assert seen in wanted, f"{where}: not taken back at once:\n{unlike(seen, *wanted)}"
    tidied()
    seen = come_to(host, *wanted)
    assert seen in wanted, f"{where}: neither as before nor as after:\n{unlike(seen, *wanted)}"
    assert mend() == [], f"{where}: repair found something to do"
    assert disagreements(host) == [], where
    return seen
