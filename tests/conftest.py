"""Every test run stands on ground of its own: private network and mount namespaces, /run a tmpfs.

No test can touch the network of the machine it runs on: the process leaves it before the first test. A test that
needs a host asks for `host`: a fresh network namespace with its own MINIDOCK_ROOT and MINIDOCK_RUN.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from minidock.app.context import in_user_namespace
from minidock.kernel import netns, syscalls
from tests import lanes
from tests.ground import Host, until

settings.register_profile("untimed", deadline=None)  # how long an example takes says something of the machine only
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Leave the machine's network and mounts; without root the unit tests still run.

    Started in a script's background, we would have Ctrl-C ignored, and so would every program we start (bash(1)).
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if os.geteuid() == 0:
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
        os.makedirs("/run/netns")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """In a lane, files that have nothing for it."""
    return lanes.strange(collection_path) or None


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long forms run with MINIDOCK_TEST_LONG=1 only, some tests as the machine's own root only, those of other
    programs where scripts/test could unpack them, and those of a kernel that has what they need on that one.

    Otherwise they are left out and counted, which is no skip.
    """
    unwanted = {"long"} if os.environ.get("MINIDOCK_TEST_LONG") != "1" else set()
    unwanted |= {"real_root"} if os.geteuid() == 0 and in_user_namespace() else set()
    wanted = [item for item in items if not any(mark.name in unwanted for mark in item.iter_markers())
              and all(_unpacked(part) for mark in item.iter_markers("unpacked") for part in mark.args)]
    places = {item: lanes.lane_of(item) for item in wanted}
    if config.option.collectonly:
        lanes.announce((lane, item.path) for item, lane in places.items())
    items_here = [item for item in wanted if places[item] == lanes.HERE]
    config.hook.pytest_deselected(items=[item for item in items if item not in items_here])
    # The unit tests last: they are short, and what their drawn examples leave in memory is copied at each fork.
    items[:] = sorted(items_here, key=lambda item: "unit" in item.path.parts)


def _unpacked(part: str) -> bool:
    return (Path(sys.prefix) / part / "complete").exists() or part in _coming()


def _coming() -> list[str]:
    """What scripts/test is still making, beside the tests."""
    try:
        return Path(os.environ.get("MINIDOCK_TEST_COMING", "/none")).read_text().split()
    except OSError:
        return []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test stands on may still be coming; if it does not come, the test says so."""
    parts = {part for mark in item.iter_markers("unpacked") for part in mark.args}
    until(lambda: parts & {*_coming()}, lambda awaited: not awaited, 300)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A fresh host: its own network namespace (lo up, forwarding off) and state directories; nothing outside it."""
    if os.geteuid() != 0:
        pytest.fail("needs root: run it by scripts/test, or inside: minidock playground")
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    monkeypatch.setenv("MINIDOCK_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("MINIDOCK_RUN", str(tmp_path / "run"))
    ground = Host(tmp_path)
    try:
        yield ground
    finally:
        ground.leave()
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        os.close(home)


@pytest.fixture
def outside(host: Host) -> Iterator[str]:
    """A namespace beyond the host's uplink up0 (198.51.100.2/24, gateway .1); its name. Also holds 203.0.113.10."""
    name = host.connect_outside()
    yield name
    netns.delete(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which recordings of a real Docker our rules are compared with, and which not."""
    if lanes.HERE:
        return  # told by the run on the machine's own kernel
    from tests.kernel.test_golden_docker29 import NOT_COVERED, RECORDINGS

    terminalreporter.write_line(f"Docker 29 rulesets compared: {', '.join(path.stem for path in RECORDINGS)}")
    for scenario, reason in NOT_COVERED.items():
        terminalreporter.write_line(f"not compared: {scenario}: {reason}")
