"""A detached container, from its held-back birth to the word its monitor leaves; and who dies with whom."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minidock.sandbox import liveness
from tests.kernel.sandbox_stage import child_of, command, detached, eventually, running, started

LOOP = ("sh", "-c", "echo up; while :; do sleep 0.01; done")


def log_of(directory: Path, text: str) -> bool:
    """Wait until the log holds exactly this."""
    return eventually(lambda: (directory / "log").exists() and (directory / "log").read_text() == text)


def test_the_log_holds_both_streams_and_the_exit_file_the_code(tmp_path: Path) -> None:
    script = "echo out; echo err >&2; echo more > /dev/stdout; yes | head -1; exit 9"
    with detached(tmp_path, "sh", "-c", script):
        assert eventually((tmp_path / "exit").exists)
        assert (tmp_path / "exit").read_text() == "9\n"
        assert (tmp_path / "log").read_text() == "out\nerr\nmore\ny\n"


def test_the_reaper_gets_the_code_and_no_stray_descriptor(tmp_path: Path) -> None:
    reap = ("/bin/sh", "-c", f"(echo $0; exec ls /proc/self/fd) > {tmp_path}/reaped")
    with detached(tmp_path, "sh", "-c", "exit 4", reap=reap):
        assert eventually((tmp_path / "reaped").exists)
        assert eventually(lambda: (tmp_path / "reaped").read_text().split() == ["4", "0", "1", "2", "3"])


def test_the_caller_returns_at_once_and_leaves_nobody_with_its_output(tmp_path: Path) -> None:
    begun = time.monotonic()
    with detached(tmp_path, "sleep", "60") as born:  # reads the caller's stdout to its end
        assert time.monotonic() - begun < 5
        assert os.getsid(born["monitor_pid"]) == born["monitor_pid"]
        files = {os.readlink(f"/proc/{born['monitor_pid']}/fd/{n}") for n in range(3)}
        assert files == {"/dev/null"} and os.readlink(f"/proc/{born['monitor_pid']}/cwd") == "/"


def test_killing_the_monitor_kills_pid_1(tmp_path: Path) -> None:
    with detached(tmp_path, *LOOP) as born:
        assert log_of(tmp_path, "up\n") and running(born["pid"])
        os.kill(born["monitor_pid"], signal.SIGKILL)
        assert eventually(lambda: not running(born["pid"]), 1)
        assert not (tmp_path / "exit").exists()


def test_a_death_by_signal_is_written_as_128_more(tmp_path: Path) -> None:
    with detached(tmp_path, *LOOP) as born:
        assert log_of(tmp_path, "up\n")
        assert liveness.signal_process(born["pid"], born["started"], signal.SIGKILL)
        assert eventually((tmp_path / "exit").exists) and (tmp_path / "exit").read_text() == "137\n"


def test_a_caller_killed_before_it_let_go_leaves_only_a_reaped_container(tmp_path: Path) -> None:
    reap = ("/bin/sh", "-c", f"echo $0 > {tmp_path}/reaped")
    fields = {"log": tmp_path / "log", "directory": tmp_path, "reap": reap}
    marker = ("sh", "-c", f"touch {tmp_path}/began")
    with started("held", *marker, **fields) as caller:
        assert caller.stdout is not None
        born = json.loads(caller.stdout.readline())
        time.sleep(0.1)
        assert liveness.alive(born["pid"], born["started"])  # it waits, and would go on waiting
        caller.kill()
        assert eventually(lambda: (tmp_path / "reaped").exists())
        assert eventually(lambda: not running(born["pid"]) and not running(born["monitor_pid"]))
    assert not (tmp_path / "began").exists()


def test_a_foreground_spawn_abandoned_before_go_leaves_nothing() -> None:
    code = (
        "import os,sys; sys.path.insert(0,'.'); from minidock.sandbox import spawn, liveness;"
        "from minidock.model.process import Process;"
        "s=spawn.spawn(Process(argv=('true',),env=(),hostname='x'),'');"
        "before=liveness.alive(s.pid,s.started); fds=len(os.listdir('/proc/self/fd')); spawn.abandon(s);"
        "print(before, liveness.alive(s.pid,s.started), fds-len(os.listdir('/proc/self/fd')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=10)
    assert done.stdout.split() == ["True", "False", "4"], done.stderr  # go, failure, stdout, stderr


def test_a_container_whose_monitor_died_before_go_never_begins(tmp_path: Path) -> None:
    """The parent-death signal comes too late here: only the look at the monitor's pidfd can tell."""
    code = (
        "import os,signal,sys; sys.path.insert(0,'.'); from minidock.sandbox import spawn, liveness;"
        "from minidock.sandbox.detach import Watch, detach; from minidock.model.process import Process;"
        f"p=Process(argv=('/usr/bin/touch','{tmp_path}/began'),env=(),hostname='x');"
        f"d=detach(p,'',Watch('{tmp_path}/log','{tmp_path}',()));"
        "sys.argv[1]=='kill' and os.kill(d.monitor_pid,signal.SIGKILL);"
        "sys.argv[1]=='kill' and os.waitpid(d.monitor_pid,0);"
        "print(liveness.alive(d.pid,d.started),flush=True); spawn.release(d.go,d.failure)"
    )
    for how, words, began in (("kill", "the container's monitor has ended", False), ("spare", "", True)):
        done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, timeout=10)
        assert done.stdout == "True\n" and words in done.stderr, done.stderr
        assert eventually((tmp_path / "began").exists, 0.3) is began


def test_a_program_that_cannot_be_run_is_told_to_the_caller_and_to_the_monitor(tmp_path: Path) -> None:
    words = command("detach", "nosuch", log=tmp_path / "log", directory=tmp_path)
    done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    assert done.returncode == 127 and "executable file not found in $PATH" in done.stderr
    assert eventually((tmp_path / "exit").exists) and (tmp_path / "exit").read_text() == "127\n"


def test_an_open_stdin_stays_open_for_a_detached_container(tmp_path: Path) -> None:
    with detached(tmp_path, "sh", "-c", "cat; echo ended", stdin_open=True) as born:
        assert not eventually((tmp_path / "exit").exists, 0.3) and running(born["pid"])
    other = tmp_path / "other"
    other.mkdir()
    with detached(other, "sh", "-c", "cat; echo ended"):
        assert log_of(other, "ended\n")


def test_a_detached_terminal_is_logged(tmp_path: Path) -> None:
    with detached(tmp_path, "sh", "-c", "tty; test -c /dev/console && echo console; exit 3", tty=True):
        assert eventually((tmp_path / "exit").exists) and (tmp_path / "exit").read_text() == "3\n"
        assert (tmp_path / "log").read_bytes() == b"/dev/pts/0\r\nconsole\r\n"


def test_the_monitor_holds_the_sockets_it_is_given_and_the_container_does_not(tmp_path: Path) -> None:
    code = (
        "import os,socket,sys; sys.path[:0]=['.','tests/kernel']; import sandbox_cli as c, json;"
        "s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True);"
        f"c.start(dict(argv=['sleep','60'],log='{tmp_path}/log',directory='{tmp_path}',keep=[s.fileno()]),False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=10)
    port, born = done.stdout.splitlines()[0], json.loads(done.stdout.splitlines()[1])
    rival = socket.socket()
    with rival, pytest.raises(OSError, match="in use"):
        rival.bind(("127.0.0.1", int(port)))
    assert sorted(os.listdir(f"/proc/{born['pid']}/fd")) == ["0", "1", "2"]
    os.kill(born["pid"], signal.SIGKILL)
    assert eventually((tmp_path / "exit").exists) and eventually(lambda: not running(born["monitor_pid"]))
    with socket.socket() as freed:
        freed.bind(("127.0.0.1", int(port)))


def _private_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


@pytest.mark.parametrize("tty", [False, True])
def test_the_monitor_is_small(tmp_path: Path, tty: bool) -> None:
    """Beside another bare interpreter, with which it shares the program's own pages."""
    other = subprocess.Popen([sys.executable, "-I", "-S", "-E", "-c", "import select; select.poll().poll()"])
    with detached(tmp_path, *LOOP, tty=tty) as born:
        assert eventually(lambda: (tmp_path / "log").exists() and (tmp_path / "log").stat().st_size > 0)
        size = _private_kilobytes(born["monitor_pid"])
        print(f"monitor: {size} kB private")
        assert size <= 3000
    other.kill()
    other.wait()


def test_a_pid_without_its_start_time_names_nobody() -> None:
    child = subprocess.Popen(["sleep", "60"])
    begun = liveness.start_time(child.pid)
    assert liveness.alive(child.pid, begun)
    assert not liveness.alive(child.pid, begun + 1)
    assert not liveness.signal_process(child.pid, begun + 1, signal.SIGKILL)
    assert liveness.wait_gone(child.pid, begun + 1, 0)
    assert not liveness.wait_gone(child.pid, begun, 0.05)
    assert liveness.signal_process(child.pid, begun, signal.SIGKILL)
    assert liveness.wait_gone(child.pid, begun, 5)
    assert Path(f"/proc/{child.pid}").exists()  # unreaped
    assert not liveness.alive(child.pid, begun)
    child.wait()


def test_a_killed_caller_takes_its_whole_container(tmp_path: Path) -> None:
    script = f"setsid sleep 61 & echo $! ; sleep 62 & touch {tmp_path}/up; wait"
    with started("run", "sh", "-c", script) as caller:
        first = child_of(caller.pid)
        assert eventually((tmp_path / "up").exists)
        assert eventually(lambda: len(_tree(first)) == 3)
        everybody = _tree(first)
        caller.kill()
        assert eventually(lambda: not any(running(pid) for pid in everybody), 1)


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in _tree(int(child)))]
