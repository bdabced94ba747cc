"""Where a test runs that needs something of the kernel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import lanes

WHERE = [  # what the kernel here has, what the test needs, where it runs
    ({"ipvlan", "nat"}, ("ipvlan", "nat"), ""),
    ({"nat"}, ("ipvlan",), "uml"),
    ({"nat", "vlan"}, ("vlan", "ipvlan"), "uml"),
    ({"nat"}, ("netem",), "uml"),
    ({"nat"}, ("ipvlan", "nat"), "qemu"),
    ({"nat"}, (), ""),
]


@pytest.mark.parametrize(("has", "needs", "where"), WHERE)
def test_a_test_runs_here_or_in_the_quickest_lane(has: set[str], needs: tuple[str, ...], where: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_has", has.__contains__)
    assert lanes.lane_of(_item(*needs)) == where


def test_a_part_that_no_lane_has_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="no lane has"):
        lanes.lane_of(_item("ipvlaan"))


def test_a_lane_reads_the_files_that_were_announced_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced once each, whatever the number of tests; not the others, but what is no test file."""
    monkeypatch.setattr(lanes, "_TOLD", str(tmp_path))
    places = [("uml", Path("/a/test_one.py")), ("", Path("/a/test_two.py")), ("uml", Path("/a/test_one.py"))]
    lanes.announce(places)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"uml": "/a/test_one.py\n"}
    monkeypatch.setattr(lanes, "HERE", "uml")
    lanes._mine.cache_clear()
    seen = [lanes.strange(Path(f"/a/{name}.py")) for name in ("test_one", "test_two", "ground")]
    lanes._mine.cache_clear()
    assert seen == [False, True, False]


def _item(*needs: str) -> pytest.Item:
    marks = [SimpleNamespace(args=(part,)) for part in needs]
    return SimpleNamespace(nodeid="a test", iter_markers=lambda name: marks)  # type: ignore[return-value]
