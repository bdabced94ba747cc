"""How containers live and end as docker's do: -d, terminals, signals, wait, logs, stop, restart, rename, ps."""

from __future__ import annotations

import functools
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ground import COMMAND, Host, until


@pytest.fixture
def br0(host: Host) -> Host:
    """A host with a network."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    return host


def detached(host: Host, name: str, *words: str) -> str:
    """Start a container in the background; its id."""
    return host.minidock("run", "-d", "--name", name, "--net", "br0", *words).stdout.strip()


def status(host: Host, name: str) -> dict[str, object]:
    """inspect's State."""
    found: dict[str, object] = json.loads(host.minidock("inspect", name).stdout)[0]["State"]
    return found


def logged(host: Host, name: str) -> str:
    """What it has written."""
    return host.minidock("logs", name).stdout


def _said(times: int) -> Callable[[str], bool]:
    return lambda text: text.count("usr1") == times


def ended(host: Host, name: str) -> dict[str, object]:
    """The State once it is exited."""
    return until(lambda: status(host, name), lambda seen: seen["Status"] == "exited", 5)


def address(host: Host, name: str) -> str:
    """Its address now, "" when it does not run."""
    networks = json.loads(host.minidock("inspect", name).stdout)[0]["NetworkSettings"]["Networks"]
    found: str = networks["br0"]["IPAddress"]
    return found


def test_run_d_prints_the_id_and_returns_at_once(br0: Host) -> None:
    """In a command substitution: no stream of ours is kept open by the container."""
    began = time.monotonic()
    line = f"id=$({' '.join(COMMAND)} run -d --net br0 sleep 100 2>&1); echo got $id"
    assert re.fullmatch(r"got [0-9a-f]{64}\n", br0.shell(line))
    assert time.monotonic() - began < 10


def in_terminal(*words: str) -> tuple[int, int]:
    """Start the command line in a terminal of its own: (pid, master)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*COMMAND, *words])
    return pid, master


def read_until(master: int, wanted: bytes, seconds: float = 10) -> bytes:
    """What the terminal shows, until it has shown that."""
    shown, deadline = b"", time.monotonic() + seconds
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([master], [], [], 0.1)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:  # EIO: the other side is closed
                break
    assert wanted in shown, shown
    return shown


def test_ctrl_c_reaches_the_command(br0: Host) -> None:
    """Typed into the terminal of a foreground run: its trap runs, its code is ours, nothing is left."""
    before = br0.picture()
    line = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"
    for flags in (("--rm",), ("--rm", "-it")):
        pid, master = in_terminal("run", *flags, "--net", "br0", "sh", "-c", line)
        read_until(master, b"ready")
        os.write(master, b"\x03")
        read_until(master, b"caught")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9, flags
        os.close(master)
    assert br0.settled(before) == before


def test_a_terminal_inside(br0: Host) -> None:
    """-it: a terminal of the container's own, with our size and TERM; what is typed arrives."""
    pid, master = in_terminal("run", "--rm", "-it", "--net", "br0", "sh")
    read_until(master, b"# ")
    os.write(master, b"tty; echo term=$TERM; exit 3\n")
    shown = read_until(master, b"term=xterm")
    assert b"/dev/pts/" in shown
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(master)


def test_a_detached_container_survives_its_terminal(br0: Host) -> None:
    """The terminal it was started from hangs up; its exit status is kept all the same."""
    pid, master = in_terminal("run", "-d", "--name", "tough", "--net", "br0", "sh", "-c", "sleep 1.5; exit 5")
    read_until(master, b"\n")
    os.waitpid(pid, 0)
    os.close(master)
    assert status(br0, "tough")["Status"] == "running"
    assert br0.minidock("wait", "tough").stdout == "5\n"
    state = ended(br0, "tough")
    assert (state["ExitCode"], state["Running"], state["Pid"]) == (5, False, 0)


def test_a_foreground_run_ends_with_its_terminal(br0: Host) -> None:
    """Hang-up: the command is told, and nothing is left."""
    before = br0.picture()
    pid, master = in_terminal("run", "--rm", "--net", "br0", "sh", "-c", "trap 'exit 0' HUP; echo on; sleep 100 & wait")
    read_until(master, b"on")
    os.close(master)
    os.waitpid(pid, 0)
    assert br0.settled(before) == before
    assert br0.minidock("ps", "-aq").stdout == ""


def test_wait_prints_codes_in_order(br0: Host) -> None:
    """Of those that run and those that have ended; waiting lasts as long as the container."""
    detached(br0, "slow", "sh", "-c", "sleep 0.7; exit 3")
    detached(br0, "quick", "sh", "-c", "exit 4")
    assert br0.minidock("wait", "slow", "quick").stdout == "3\n4\n"
    br0.minidock("run", "--name", "past", "--net", "br0", "sh", "-c", "exit 6", check=False)
    assert br0.minidock("wait", "past").stdout == "6\n"


def test_wait_learns_the_code_of_one_that_is_removed(br0: Host) -> None:
    """`run -d --rm` and `wait`."""
    br0.minidock("run", "-d", "--rm", "--name", "brief", "--net", "br0", "sh", "-c", "sleep 1; exit 8")
    assert br0.minidock("wait", "brief").stdout == "8\n"
    assert until(lambda: br0.minidock("ps", "-aq").stdout, lambda seen: not seen) == ""


def test_logs_follow_and_tail(br0: Host) -> None:
    """-f shows what comes and ends with the container; -n only the last lines."""
    detached(br0, "talk", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done")
    assert br0.minidock("logs", "-f", "talk").stdout == "".join(f"line {number}\n" for number in range(1, 6))
    ended(br0, "talk")
    assert br0.minidock("logs", "-n", "2", "talk").stdout == "line 4\nline 5\n"
    assert br0.minidock("logs", "--tail", "0", "talk").stdout == ""
    assert br0.minidock("logs", "--tail", "99", "talk").stdout == br0.minidock("logs", "talk").stdout


def test_stop_asks_and_then_kills(br0: Host) -> None:
    """A process that ignores TERM gets KILL after the time given, 137; one that obeys is not killed."""
    detached(br0, "deaf", "sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.1; done")
    detached(br0, "polite", "sh", "-c", "trap 'exit 11' TERM; echo on; while :; do sleep 0.1; done")
    for name in ("deaf", "polite"):
        assert until(functools.partial(logged, br0, name), bool) == "on\n"
    began = time.monotonic()
    assert br0.minidock("stop", "-t", "1", "deaf").stdout == "deaf\n"
    assert 1 <= time.monotonic() - began < 5
    assert status(br0, "deaf")["ExitCode"] == 137
    began = time.monotonic()
    br0.minidock("stop", "polite")
    assert time.monotonic() - began < 5
    assert status(br0, "polite")["ExitCode"] == 11
    assert br0.minidock("stop", "polite").stdout == "polite\n"  # stopped already: nothing to do


def test_kill_sends_any_signal(br0: Host) -> None:
    """By name with or without SIG, by number; KILL by default."""
    detached(br0, "web", "sh", "-c", "trap 'echo usr1' USR1; echo on; while :; do sleep 0.1; done")
    until(lambda: br0.minidock("logs", "web").stdout, bool)
    for sent, word in enumerate(("USR1", "SIGUSR1", "usr1", str(int(signal.SIGUSR1))), 1):
        br0.minidock("kill", "-s", word, "web")
        assert until(functools.partial(logged, br0, "web"), _said(sent)).count("usr1") == sent
    assert br0.minidock("kill", "web").stdout == "web\n"
    assert status(br0, "web")["ExitCode"] == 137


def test_start_and_restart_take_the_lowest_free_address(br0: Host) -> None:
    """An address goes back at stop and to whoever comes next; the MAC is new at each start (§13.4)."""
    for name in ("one", "two"):
        detached(br0, name, "sleep", "100")
    mac = br0.minidock("exec", "one", "cat", "/sys/class/net/eth0/address").stdout
    assert br0.minidock("restart", "-t", "0", "one").stdout == "one\n"
    assert address(br0, "one") == "172.28.0.2"
    assert br0.minidock("exec", "one", "cat", "/sys/class/net/eth0/address").stdout != mac
    br0.minidock("stop", "-t", "0", "one")
    assert address(br0, "one") == ""
    detached(br0, "three", "sleep", "100")
    assert address(br0, "three") == "172.28.0.2"
    assert br0.minidock("start", "one").stdout == "one\n"
    assert address(br0, "one") == "172.28.0.4"
    assert br0.minidock("start", "one").stdout == "one\n"  # runs already: nothing to do


def test_a_stopped_container_does_not_hold_its_network(br0: Host) -> None:
    """§13.1: rm succeeds, the later start says what is missing."""
    detached(br0, "web", "sleep", "100")
    br0.minidock("stop", "-t", "0", "web")
    br0.minidock("net", "rm", "br0")
    done = br0.minidock("start", "web", check=False)
    assert done.returncode == 3 and "failed to set up container networking: network" in done.stderr


def test_a_renamed_container_and_a_new_one_of_its_old_name(br0: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed gives both the same id if it asks the name alone."""
    monkeypatch.setenv("MINIDOCK_SEED", "twins")
    first = br0.minidock("create", "--name", "old", "--net", "br0", "true").stdout
    br0.minidock("rename", "old", "new")
    assert br0.minidock("create", "--name", "old", "--net", "br0", "true").stdout not in ("", first)


def test_rename_and_remove(br0: Host) -> None:
    """The new name counts at once, also while it runs; rm -f kills; several at once."""
    detached(br0, "old", "sleep", "100")
    br0.minidock("rename", "old", "new")
    assert json.loads(br0.minidock("ps", "--format", "json").stdout)["Names"] == "new"
    assert br0.minidock("exec", "new", "true").returncode == 0
    br0.minidock("create", "--name", "other", "--net", "br0", "true")
    assert br0.minidock("rm", "-f", "new", "other").stdout == "new\nother\n"
    assert br0.minidock("ps", "-aq").stdout == ""


def test_ps_columns_and_filters(br0: Host) -> None:
    """Docker's heads; running ones only without -a; -q ids; --no-trunc whole; json one object a line, all strings."""
    whole = detached(br0, "web", "sleep", "1000000000000000000")
    br0.minidock("run", "--name", "past", "--net", "br0", "sh", "-c", "exit 3", check=False)
    br0.minidock("create", "--name", "new", "--net", "none", "true")
    head, *rows = br0.minidock("ps", "-a").stdout.splitlines()
    assert head.split("   ")[0] == "CONTAINER ID" and re.split(r"\s{2,}", head)[1:6] == \
        ["COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert [row.split()[-2] for row in rows] == ["new", "past", "web"]  # newest first
    assert re.search(r"Created +new", rows[0]) and re.search(r"Exited \(3\) .* ago +past", rows[1])
    assert re.fullmatch(rf'{whole[:12]}   "sleep 1000000000000…"   .* ago +Up .* +web +br0', rows[2])
    assert br0.minidock("ps", "-q").stdout == f"{whole[:12]}\n"
    assert br0.minidock("ps", "-q", "--no-trunc").stdout == f"{whole}\n"
    objects = [json.loads(line) for line in br0.minidock("ps", "-a", "--format", "json").stdout.splitlines()]
    assert [one["State"] for one in objects] == ["created", "exited", "running"]
    assert all(isinstance(value, str) for one in objects for value in one.values())
    assert set(objects[0]) >= {"Command", "CreatedAt", "ID", "Image", "Labels", "LocalVolumes", "Mounts", "Names",
                               "Networks", "Ports", "RunningFor", "Size", "State", "Status"}


def test_a_command_with_lines_and_odd_bytes_does_not_break_ps(br0: Host) -> None:
    """One row per container, whatever it was called with."""
    br0.minidock("create", "--net", "br0", "sh", "-c", "a\nb\tc\x1b[31m", b"\xff".decode(errors="surrogateescape"))
    done = subprocess.run([*COMMAND, "ps", "-a", "--no-trunc"], capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 2 and b"\x1b" not in done.stdout and b"\xff" in done.stdout


def test_the_files_of_a_container_go_with_it(br0: Host) -> None:
    """Its directory in RUN."""
    detached(br0, "web", "sleep", "100")
    place = Path(json.loads(br0.minidock("inspect", "web").stdout)[0]["LogPath"]).parent
    assert set(os.listdir(place)) >= {"hostname", "hosts", "log", "resolv.conf"}
    br0.minidock("rm", "-f", "web")
    assert not place.exists()
