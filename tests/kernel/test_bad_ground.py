"""What a user finds where the ground is bad: no privileges, no room, damaged or foreign state, a poor kernel.

The words are tests/golden/errors/ground-*.txt.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from minidock import ipam
from minidock.app import networks
from minidock.app.context import App
from minidock.kernel import syscalls
from tests.golden_text import agrees, masked
from tests.ground import COMMAND, Host

LACKING = str(Path(__file__).with_name("lacking_kernel.py"))


def refused(host: Host, name: str, words: str, code: int, *before: str) -> None:
    """The command fails with that code and the golden words, and leaves the kernel as it was."""
    picture = host.picture()
    done = subprocess.run([*before, *COMMAND, *words.split()], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    text = f"$ {' '.join(['minidock', *words.split()])}\nexit {code}\n{masked(done.stderr, host.directory)}"
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in text and "this is a bug" not in text and "hint: " in text, text
    agrees(f"errors/ground-{name}.txt", text)
    assert host.settled(picture) == picture


@pytest.mark.real_root
def test_without_privileges_both_ways_out_are_named(host: Host) -> None:
    """As nobody: sudo, or the playground."""
    host.minidock("net", "ls")
    for word in ("net ls", "ps", "run --rm true"):
        code = 125 if word.startswith("run") else 1
        refused(host, f"no-root-{word.split()[0]}", word, code, "setpriv", "--reuid=65534", "--clear-groups")


def test_root_without_power_over_the_network(host: Host) -> None:
    """Root of a user namespace that does not own this network namespace: the kernel's EPERM, explained."""
    host.minidock("net", "ls")
    refused(host, "no-net-admin", "net create x --subnet 10.1.0.0/24", 7, "unshare", "--user", "--map-root-user")


@pytest.mark.parametrize(("name", "words", "code"), [
    ("netfilter", "net create x --subnet 10.1.0.0/24", 7),
    ("clone3", "run --rm --net none true", 125),
])
def test_a_kernel_that_lacks_a_part(host: Host, name: str, words: str, code: int) -> None:
    """A seccomp filter answers as a kernel without that part does; without the filter the same command works."""
    host.minidock("net", "ls")
    refused(host, f"lacks-{name}", words, code, sys.executable, LACKING, name)
    host.minidock(*words.split())


@pytest.mark.parametrize("place", ["root", "run"])
def test_a_read_only_state_directory(host: Host, place: str) -> None:
    """A read-only bind mount over ROOT or RUN."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    target = str(host.directory / place)
    syscalls.mount(target, target, None, syscalls.MS_BIND)
    syscalls.mount(target, target, None, syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)
    try:
        refused(host, f"read-only-{place}-create", "net create x --subnet 10.1.0.0/24", 1)
        refused(host, f"read-only-{place}-run", "run --rm --net br0 true", 125)
    finally:
        syscalls.umount(target, syscalls.MNT_DETACH)
    host.minidock("run", "--rm", "--net", "br0", "true")


@pytest.mark.parametrize("place", ["root", "run"])
def test_a_full_disk(host: Host, place: str) -> None:
    """ROOT or RUN on a small tmpfs that is full; with room again, all is well."""
    target = host.directory / place
    os.makedirs(target)
    syscalls.mount("tmpfs", str(target), "tmpfs", 0, "size=1200k")
    try:
        host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
        fill(target / "ballast")
        refused(host, f"full-{place}-create", "net create x --subnet 10.1.0.0/24", 1)
        refused(host, f"full-{place}-run", "run --rm --net br0 true", 125)
        os.unlink(target / "ballast")
        host.minidock("run", "--rm", "--net", "br0", "true")
        host.minidock("system", "reset", "-f")
    finally:
        syscalls.umount(str(target), syscalls.MNT_DETACH)


@pytest.mark.parametrize("place", ["root", "run"])
def test_a_disk_that_fills_midway(host: Host, place: str) -> None:
    """However much room there is, the command works or says why it cannot; with room again nothing is left of it."""
    target = host.directory / place
    os.makedirs(target)
    syscalls.mount("tmpfs", str(target), "tmpfs", 0, "size=3m")
    try:
        host.minidock("run", "--rm", "--name", "con", "true")
        before, codes = host.picture(), set()
        for pages in (1, 3, 6, 10, 15, 25, 40, 60, 90, 400):
            fill(target / "ballast")
            os.truncate(target / "ballast", max(0, (target / "ballast").stat().st_size - pages * 4096))
            done = host.minidock("run", "--rm", "--name", "con", "true", check=False)
            assert (done.returncode, "is full" in done.stderr) in ((0, False), (125, True)), done.stderr
            codes.add(done.returncode)
            os.unlink(target / "ballast")
            host.minidock("rm", "-f", "con", check=False)
        assert codes == {0, 125}
        assert host.settled(before) == before
        assert host.minidock("system", "repair").stdout == "nothing to repair\n"
        host.minidock("system", "reset", "-f")
    finally:
        syscalls.umount(str(target), syscalls.MNT_DETACH)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@pytest.mark.parametrize(("place", "file"), [("root", "minidock.db"), ("run", "run.db")])
def test_a_damaged_database(host: Host, place: str, file: str) -> None:
    """Garbage over the whole file, then over all but its first page; moved away as the hint says, minidock works."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    path = host.directory / place / file
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = path.read_bytes()
    path.write_bytes(b"garbage " * (len(sound) // 8))
    refused(host, f"damaged-{place}", "ps", 1)
    path.write_bytes(sound[:4096] + b"garbage " * (len(sound) // 8 - 512))
    refused(host, f"damaged-within-{place}", "net create x --subnet 10.1.0.0/24", 1)
    path.write_bytes(sound)
    host.minidock("net", "inspect", "br0")


def test_a_newer_schema(host: Host) -> None:
    """A later minidock has been here."""
    host.minidock("net", "ls")
    with closing(sqlite3.connect(host.directory / "root/minidock.db")) as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        database.commit()
    refused(host, "newer-schema", "net ls", 7)


def test_the_state_of_another_namespace(host: Host) -> None:
    """RUN was made in another network namespace."""
    host.minidock("net", "ls")
    refused(host, "other-namespace", "ps", 4, "unshare", "--net")


def test_the_state_of_another_root(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUN belongs to another MINIDOCK_ROOT."""
    host.minidock("net", "ls")
    monkeypatch.setenv("MINIDOCK_ROOT", str(host.directory / "elsewhere"))
    refused(host, "other-root", "ps", 4)


def test_a_state_directory_that_is_a_file(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """MINIDOCK_ROOT names a file."""
    (host.directory / "file").write_text("")
    monkeypatch.setenv("MINIDOCK_ROOT", str(host.directory / "file"))
    refused(host, "root-is-file", "ps", 1)


def test_all_default_pools_are_used(host: Host) -> None:
    """Thirty networks fit beside the default one, in Docker's order; the next is refused; a freed one is used again."""
    app = App()
    try:
        networks.ensure_predefined(app)
        made = [networks.create(app, networks.Request(f"n{number}")) for number in range(30)]
    finally:
        app.close()
    subnets = [net.pools[0].subnet for net in made]
    assert subnets == list(ipam.default_subnets())[1:] and subnets[-1] == IPv4Network("192.168.240.0/20")
    refused(host, "pools-used-up", "net create x", 5)
    host.minidock("net", "rm", "n3")
    host.minidock("net", "create", "x")
    assert "172.21.0.0/16" in host.minidock("net", "inspect", "x").stdout


def test_a_bug_is_one_line_and_a_log(host: Host, tmp_path: Path) -> None:
    """What is no MinidockError: exit code 70, no traceback on the terminal, all of it in the log."""
    program = ("import sys; from minidock.app import looking; looking.rows = None;"
               "from minidock.cli.main import main; sys.argv[1:] = ['ps']; main()")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 70 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "this is a bug" in done.stderr
    assert "Traceback" in Path(done.stderr.split()[-1]).read_text()
    shutil.rmtree(host.directory / "run")
