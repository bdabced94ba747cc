"""TAB: the real protocol between shell and command, on a real host; it reads only."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.ground import COMMAND, Host

MINE = ["br0", "br10", "shop"]
PREDEFINED = ["bridge", "host", "none"]


@pytest.fixture
def busy(host: Host) -> Host:
    """Three networks; web runs, wait1 does not."""
    for name in MINE:
        host.minidock("net", "create", name)
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    host.minidock("create", "--name", "wait1", "true")
    return host


def offered(host: Host, line: str) -> list[str]:
    """What is offered for the last word of a line (behind a blank: a word that is not begun)."""
    words = shlex.split(line)
    env = {**os.environ, "_MINIDOCK_COMPLETE": "bash_complete", "COMP_WORDS": line,
           "COMP_CWORD": str(len(words) - (not line.endswith(" ")))}
    done = host.minidock(env=env)
    assert done.stderr == ""
    return [row.partition(",")[2] for row in done.stdout.split()]


@pytest.mark.parametrize(("line", "names"), [
    ("minidock net rm ", MINE),
    ("minidock net rm br0 ", ["br10", "shop"]),
    ("minidock network rm -f s", ["shop"]),
    ("minidock net inspect ", ["br0", "br10", "bridge", "host", "none", "shop"]),
    ("minidock net inspect br", ["br0", "br10", "bridge"]),
    ("minidock stop ", ["web"]),
    ("minidock stop -t 3 web ", []),
    ("minidock kill ", ["web"]),
    ("minidock wait w", ["web"]),
    ("minidock exec w", ["web"]),
    ("minidock exec -it web ", []),
    ("minidock port ", ["web"]),
    ("minidock dns query ", ["web"]),
    ("minidock start ", ["wait1"]),
    ("minidock restart ", ["wait1", "web"]),
    ("minidock rm wait1 ", ["web"]),
    ("minidock rm -f w", ["wait1", "web"]),
    ("minidock logs w", ["wait1", "web"]),
    ("minidock rename w", ["wait1", "web"]),
    ("minidock inspect ", ["wait1", "web", "br0", "br10", "bridge", "host", "none", "shop"]),
    ("minidock explain s", ["shop"]),
    ("minidock run --net ", ["br0", "br10", "bridge", "host", "none", "shop"]),
    ("minidock run --rm --network=s", ["shop"]),
    ("minidock create --init --net s", ["shop"]),
    ("minidock run --net br0 --dns", ["--dns", "--dns-search", "--dns-option", "--dns-opt"]),
    ("minidock run --name web sleep ", []),
    ("minidock net pru", ["prune"]),
    ("minidock ev", ["events"]),
    ("minidock lab race 16", ["16"]),
    ("minidock lab check 16", ["16"]),
    ("minidock lab selftest 16", ["16"]),
])
def test_names_and_flags(busy: Host, line: str, names: list[str]) -> None:
    """Of networks and containers: those that the command can be given."""
    assert offered(busy, line) == names


def test_bash_itself_completes(busy: Host) -> None:
    """The function that `bash_source` gives, called as bash calls it."""
    command = busy.directory / "bin/minidock"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec {shlex.join(COMMAND)} \"$@\"\n")
    command.chmod(0o755)
    seen = busy.shell(f'export PATH={command.parent}:$PATH PYTHONPATH={":".join(filter(None, sys.path))};'
                      'eval "$(_MINIDOCK_COMPLETE=bash_source minidock)";'
                      ' COMP_WORDS=(minidock net rm br1); COMP_CWORD=3;'
                      ' $(complete -p minidock | grep -o "[^ ]*_completion") minidock br1 rm; echo ${COMPREPLY[@]}')
    assert seen == "br10\n"


def files(host: Host) -> dict[str, int]:
    """Every file of ours, with its size."""
    return {str(path): path.stat().st_size for path in sorted(host.directory.rglob("*")) if path.is_file()}


def test_nothing_is_made_and_nothing_fails(host: Host) -> None:
    """On an untouched host, beside a quiet database (whose names are read: the control), over a damaged one."""
    assert offered(host, "minidock net rm ") == offered(host, "minidock stop ") == []
    assert offered(host, "minidock run --net ") == PREDEFINED
    assert files(host) == {} and not list(host.directory.iterdir())
    host.minidock("net", "create", "br0")
    before = files(host)
    assert not [name for name in before if name.endswith("-wal")]
    assert offered(host, "minidock net rm ") == ["br0"]
    assert files(host) == before
    Path(host.directory / "root/minidock.db").write_bytes(b"no database" * 1000)
    assert offered(host, "minidock net rm ") == []
    assert offered(host, "minidock run --net n") == ["none"]
