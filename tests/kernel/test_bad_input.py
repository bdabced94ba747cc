"""What a user does wrong: the exit code, the words, and that nothing at all has changed.

The table is bad_input_cases.py; the words are tests/golden/errors. All cases share one world, which each of them must
leave as it was: kernel, state and processes.
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, SOCK_STREAM, socket

import pytest

from minidock.app import identity
from minidock.kernel import syscalls
from tests.golden_text import agrees, masked
from tests.ground import Host, until
from tests.kernel.bad_input_cases import CASES

# Looking at nothing still prints the empty list, as Docker does.
PRINTS = {"net-unknown": "[]\n", "inspect-unknown": "[]\n", "inspect-kind-unknown": "[]\n"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, dict[str, str]]]:
    """Networks of all sizes, containers that run and one that does not, a device that is no bridge; and the words
    that stand for something in the cases."""
    with world_of(tmp_path_factory.mktemp("world")) as host:
        yield host, furnish(host)


@contextmanager
def world_of(directory: Path) -> Iterator[Host]:
    """A host that many cases share."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in (("ROOT", str(directory / "root")), ("RUN", str(directory / "run")), ("SEED", "17")):
            patch.setenv(f"MINIDOCK_{key}", value)
        host = Host(directory)
        try:
            yield host
        finally:
            host.leave()
            syscalls.setns(home, syscalls.CLONE_NEWNET)
            os.close(home)


def furnish(host: Host) -> dict[str, str]:
    """Make the world."""
    nets, prefix = siblings("network/lan")
    cons, con_prefix = siblings("container/twin")
    for words in ("br0 --subnet 172.28.0.0/16 --aux-address printer=172.28.0.50", "tiny --subnet 10.99.0.0/30",
                  "pair --subnet 10.97.0.0/31", "alone --subnet 10.96.0.0/32",
                  "ranged --subnet 10.98.0.0/24 --ip-range 10.98.0.64/32 --gateway 10.98.0.1",
                  "lecture --subnet 10.95.0.0/24 -o com.docker.network.bridge.name=lecture0",
                  *(f"{name} --subnet 10.94.{number}.0/24" for number, name in enumerate(nets))):
        host.minidock("net", "create", *words.split())
    for name, net, *more in (("web", "br0", "-p", "8080:80"), ("small", "tiny"), ("second", "pair", "-p", "8081:80"),
                             ("inside", "ranged")):
        host.minidock("run", "-d", "--name", name, "--net", net, *more, "sleep", "1000")
    for name in ("old", *cons):
        host.minidock("create", "--name", name, "--net", "br0", "true")
    furnish_attachments(host)
    host.strangers = [stranger(kind) for kind in (SOCK_STREAM, SOCK_DGRAM)]  # type: ignore[attr-defined]
    host.shell("ip link add cable0 type veth peer name cable1")
    for name, text in (("binary", b"\x7fELF\xff\xfe"), ("blank", b"GOOD=1\nBAD NAME=2\n"), ("nameless", b"=2\n"),
                       ("script", b"#!/no/such/interpreter\n")):
        (host.directory / name).write_bytes(text)
    (host.directory / "script").chmod(0o755)
    return {"NETS": prefix, "CONS": con_prefix, "DIR": str(host.directory)}


def furnish_attachments(host: Host) -> None:
    """What bad_attachment_cases.py says is there."""
    host.minidock("net", "create", "back", "--subnet", "172.29.0.0/16")
    host.minidock("net", "create", "six", "--ipv6", "--subnet", "172.27.0.0/16", "--subnet", "fd00:27::/64")
    for name, *words in (("quiet", "--net", "none"), ("hosted", "--net", "host"), ("sharer", "--net", "container:web"),
                         ("classic",), ("both", "--net", "br0", "--net", "six", "-p", "8083:80")):
        host.minidock("run", "-d", "--name", name, *words, "sleep", "1000")
    host.minidock("create", "--name", "fixed", "--net", "name=br0,ip=172.28.0.77", "--net", "name=six,ip6=fd00:27::77",
                  "true")


def stranger(kind: int) -> socket:
    """A program that minidock does not know (this very test) has port 7777."""
    made = socket(AF_INET, kind)
    made.bind(("127.0.0.1", 7777))
    if kind == SOCK_STREAM:
        made.listen()
    return made


def siblings(purpose: str) -> tuple[list[str], str]:
    """Two names whose ids, under this seed, begin with the same four digits, and these digits."""
    seen: dict[str, str] = {}
    kind, _, stem = purpose.partition("/")
    for number in range(5000):
        name = f"{stem}{number}"
        prefix = identity.new_id(f"{kind}/{name}")[:4]
        if prefix in seen and not prefix.isdigit():
            return [seen[prefix], name], prefix
        seen[prefix] = name
    raise AssertionError("no two ids begin alike")


def rows(host: Host) -> dict[str, list[tuple[object, ...]]]:
    """All that minidock remembers."""
    found = {}
    for place in ("root/minidock.db", "run/run.db"):
        database = sqlite3.connect(host.directory / place)
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            found[table] = sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        database.close()
    del found["sqlite_sequence"]  # the journal's counter, which never goes back
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_mistake_is_told_and_nothing_changes(name: str, world: tuple[Host, dict[str, str]]) -> None:
    """Exit code, words on stderr, nothing on stdout; the same kernel, the same rows, the same processes."""
    blame(name, *CASES[name], *world)


def blame(name: str, code: int, typed: str | tuple[str, ...], host: Host, meanings: dict[str, str]) -> None:
    """Type the words, compare all."""
    words = shlex.split(typed) if isinstance(typed, str) else list(typed)
    for word, meaning in meanings.items():
        words = [part.replace(word, meaning) for part in words]
    before, kept, living = host.picture(), rows(host), set(host.strays())
    done = host.minidock(*words, check=False, stdin=-3)
    assert (done.returncode, done.stdout) == (code, PRINTS.get(name, "")), done.stderr
    assert_readable(done.stderr)
    agrees(f"errors/{name}.txt", golden(typed, code, done.stderr, host.directory, meanings))
    assert host.settled(before) == before
    assert rows(host) == kept
    # links die in a short-lived child
    assert until(lambda: set(host.strays()) - living, lambda more: not more) == set()


def golden(typed: str | tuple[str, ...], code: int, text: str, directory: Path, meanings: dict[str, str]) -> str:
    """The command, its exit code, its words."""
    line = typed if isinstance(typed, str) else " ".join(ascii(word) for word in typed)
    for word in {"NETS", "CONS"} & set(meanings):
        text = text.replace(f" {meanings[word]} ", f" {word} ").replace(f" {meanings[word]}:", f" {word}:")
    text = re.sub(r"by \S+ \(pid \d+\)", "by PROGRAM (pid PID)", text)
    return f"$ minidock {line}\nexit {code}\n{masked(text, directory)}"


def assert_readable(text: str) -> None:
    """Sentences for people: one message each with a hint, no traceback, no bug."""
    lines = text.splitlines()
    assert lines[0].startswith("minidock: ") and lines[-1].startswith("hint: "), text
    text = text.replace("<empty>", "").replace("<name|id>", "")  # Docker's own words
    assert not any(word in text for word in ("Traceback", "this is a bug", "Errno", "None", "0x", "<")), text
