"""What is told though nothing failed: networks that go with somebody's fixed address, ports that come to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ground import Host

REMOVALS = (("net", "rm", "br0"), ("network", "remove", "br0"), ("net", "prune", "-f"),
            ("net", "rm", "--dry-run", "br0"))


@pytest.fixture
def fixed(host: Host) -> Host:
    """Networks br0 and other; db, which does not run, has addresses of br0 fixed, idle has none."""
    host.minidock("net", "create", "br0", "--ipv6", "--subnet", "172.28.0.0/16", "--subnet", "fd00:28::/64")
    host.minidock("create", "--name", "db", "--net", "name=br0,ip=172.28.0.9,ip6=fd00:28::9", "true")
    host.minidock("create", "--name", "idle", "--net", "br0", "true")
    return host


@pytest.mark.parametrize("words", REMOVALS, ids=" ".join)
def test_a_network_goes_with_fixed_addresses(fixed: Host, words: tuple[str, ...]) -> None:
    """As in Docker it goes; unlike there one is told whom it takes along."""
    short = fixed.minidock("net", "ls", "-q", "-f", "name=br0").stdout.strip()
    done = fixed.minidock(*words)
    assert done.stderr == (
        "WARNING: containers that do not run have fixed addresses in network br0 and cannot start without it:"
        f" db (172.28.0.9), db (fd00:28::9)\nhint: minidock net disconnect {short} db\n")
    assert (fixed.minidock("net", "inspect", "br0", check=False).returncode == 0) == ("--dry-run" in words)


def test_the_hint_helps(fixed: Host) -> None:
    """After it the container can be given another network, and starts."""
    short = fixed.minidock("net", "ls", "-q", "-f", "name=br0").stdout.strip()
    fixed.minidock("net", "rm", "br0")
    refused = fixed.minidock("start", "db", check=False)
    assert (refused.returncode, f"minidock net disconnect {short} db" in refused.stderr) == (3, True)
    fixed.minidock("net", "create", "other")
    fixed.minidock("net", "disconnect", short, "db")
    fixed.minidock("net", "connect", "other", "db")
    fixed.minidock("start", "-a", "db")


def test_nothing_is_told_without_fixed_addresses(fixed: Host) -> None:
    fixed.minidock("rm", "db")
    assert fixed.minidock("net", "rm", "br0").stderr == ""
    fixed.minidock("net", "create", "br1")
    assert fixed.minidock("net", "rm", "br1").stderr == ""


def test_start_tells_what_run_tells(fixed: Host) -> None:
    """Ports that come to nothing; those that do not are the control."""
    for name, net, warned in (("one", "none", True), ("two", "br0", False)):
        words = ("--net", net, "-p", "8080:80", "true")
        told = fixed.minidock("run", "--rm", *words).stderr
        assert ("WARNING: Published ports are discarded: network none has no way in" in told) == warned
        fixed.minidock("create", "--name", name, *words)
        for start in (("start", name), ("start", "-a", name)):
            assert fixed.minidock(*start).stderr == told
            fixed.minidock("wait", name)


def test_prune_filters(host: Host, tmp_path: Path) -> None:
    """By label, by its absence, by age; what is spared stays."""
    for name, label in (("a", "keep=no"), ("b", "keep=yes"), ("c", "other")):
        host.minidock("net", "create", name, "--label", label)

    def pruned(*filters: str) -> set[str]:
        words = [word for text in filters for word in ("--filter", text)]
        return set(host.minidock("net", "prune", "-f", *words).stdout.splitlines()[1:])

    assert pruned("until=1h") == set()
    assert pruned("label=keep=no") == {"a"}
    assert pruned("label!=keep") == {"c"}
    assert pruned("until=0s") == {"b"}
