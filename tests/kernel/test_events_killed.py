"""`minidock events` and kill -9: what a killed command told has happened, and none is told twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.ground import Host, until
from tests.kernel.aftermath import mend, orphanage, rows
from tests.kernel.killing import EFFECTS, LONG, PAGES, Call, calls, killed_before
from tests.kernel.test_events import SUBNET, told, words
from tests.kernel.test_kill import SCENES

KILLED = ("net create", "net rm", "run --rm", "run -d", "stop", "rm -f")


@pytest.fixture
def plain(host: Host) -> Iterator[Host]:
    """A host with br0, where every orphan is ours to wait for; identifiers differ from life to life."""
    host.minidock("net", "create", "br0", *SUBNET)
    with orphanage():
        yield host


def test_what_a_killed_command_told_has_happened(plain: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """kill -9 at the first effect after each event (or at every effect): all that was told is true."""
    kills = 0
    for name in KILLED:
        for call in _points(plain, name):
            _prepare(plain, name)
            kills += killed_before(call, *SCENES[name].command)
            where = f"{name}, killed at {call}"
            assert until(lambda: lies(plain), lambda found: not found) == [], where
            mend()
            assert until(lambda: lies(plain), lambda found: not found) == [], where
    with capsys.disabled():
        print(f" killed {kills} times;", end="")
    assert kills > 10
    assert "container die" in words(told(plain)) and "network destroy" in words(told(plain))


def _prepare(host: Host, name: str) -> None:
    host.minidock("rm", "-f", "web", check=False)
    host.minidock("net", "rm", "-f", "br1")
    for words_ in SCENES[name].first:
        host.minidock(*words_)


def _points(host: Host, name: str) -> list[Call]:
    """The effect after each event that is told; in the long form every effect."""
    _prepare(host, name)
    found = calls(host, f"{EFFECTS},{PAGES}", *SCENES[name].command)
    telling = ['{\\"Type\\":' in call.arguments for call in found]
    return found if LONG else [call for told_before, call in zip(telling, found[1:], strict=False) if told_before]


def lies(host: Host) -> list[str]:
    """Events that the rows contradict, or that were told twice."""
    path = host.directory / "run/events"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    told_of = Counter((event["Actor"]["ID"], event["Actor"]["Attributes"].get("container", ""), event["Action"])
                      for event in found if event["Action"] != "kill")
    return [f"{key} was told {times} times" for key, times in told_of.items() if times > 1] + \
        [f"{key} is told, but {what}" for key in told_of if (what := _against(host, key, told_of))]


def _against(host: Host, key: tuple[str, str, str], told_of: Counter[tuple[str, str, str]]) -> str:
    """What the rows say against an event; that a later one was not told is no contradiction."""
    actor, container, action = key
    root, run = host.directory / "root/minidock.db", host.directory / "run/run.db"
    states = [row[0] for row in rows(root, f"SELECT state FROM networks WHERE id = '{actor}'")]
    states += ["ready" for _ in rows(root, f"SELECT 1 FROM containers WHERE id = '{actor}'")]
    pids = [row[0] for row in rows(run, f"SELECT pid FROM running WHERE container = '{container or actor}'")]
    later = any(told_of[(actor, "", word)] for word in ("start", "destroy"))
    if action == "create" and ("creating" in states or (not states and not later and _is_container(host, actor))):
        return "it is not made"
    if action in ("start", "connect") and 0 in pids:
        return "it does not run"
    if action in ("die", "disconnect") and any(pids):
        return "it runs"
    return "it is there" if action == "destroy" and states else ""


def _is_container(host: Host, actor: str) -> bool:
    line = next(line for line in (host.directory / "run/events").read_text().splitlines() if actor in line)
    return line.startswith('{"Type":"container"')
