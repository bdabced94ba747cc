"""kill -9 at every step: strace kills the command before each system call that could leave a trace.

The call itself is not made any more (the kernel sees the signal before it), so the command is stopped between every
two effects. Then one more command runs, and the host must be as before the killed one or as after it,
with every row, name, file and process in agreement; a removal that had begun is finished.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.model.record import Record
from tests.ground import Host, until
from tests.kernel.aftermath import bury, childless, disagreements, doomed, mend, orphanage, rows
from tests.kernel.killing import EFFECTS, LONG, PAGES, SEED, Call, calls, killed_before, points, strace

WEB = ("run", "-d", "--name", "web", "--net", "br0", "-p", "8080:80", "-p", "5353:53/udp", "sleep", "60")


class Scene(Record):
    """A command to kill, and the commands before it."""

    command: tuple[str, ...]
    first: tuple[tuple[str, ...], ...] = ()


SCENES = {
    "net create": Scene(("net", "create", "br1", "--subnet", "172.29.0.0/16")),
    "net rm": Scene(("net", "rm", "br1"), (("net", "create", "br1", "--subnet", "172.29.0.0/16"),)),
    "run --rm": Scene(("run", "--rm", "--name", "web", "--net", "br0", "true")),
    "run": Scene(("run", "--name", "web", "--net", "br0", "true")),
    "run -d": Scene(WEB),
    "start": Scene(("start", "web"), (WEB, ("stop", "-t", "0", "web"))),
    "stop": Scene(("stop", "-t", "0", "web"), (WEB,)),
    "rm": Scene(("rm", "web"), (WEB, ("stop", "-t", "0", "web"))),
    "rm -f": Scene(("rm", "-f", "web"), (WEB,)),
}


@pytest.fixture
def ready(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with the network br0, every identifier pinned, and all orphans ours."""
    monkeypatch.setenv("MINIDOCK_SEED", "kill")
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    with orphanage():
        yield host
        wipe(host)


def still(host: Host) -> dict[str, object]:
    """The picture once two looks agree: links may die a moment after the command."""
    last = host.picture()
    while (now := host.settled(last, 0.02)) != last:
        last = now
    return last


def do(host: Host, *commands: tuple[str, ...]) -> None:
    for words in commands:
        host.minidock(*words)


def wipe(host: Host) -> None:
    """Only br0 is left; every process has ended."""
    host.minidock("rm", "-f", "web", check=False)
    host.minidock("net", "rm", "-f", "br1", check=False)
    assert childless(), "a process is left"


def agreed(host: Host, wanted: list[dict[str, object]], where: str) -> dict[str, object]:
    """Mend, then compare: the picture is one of the wanted, all rows agree, nothing is left to mend."""
    until(lambda: doomed(host), lambda found: not found)
    mend()
    seen = until(lambda: (bury(), host.picture())[1], lambda look: look in wanted)
    assert seen in wanted, f"{where}: {[_difference(seen, other) for other in wanted]}"
    left = until(lambda: (mend(), disagreements(host))[1], lambda found: not found)  # a monitor may be at it
    assert not left, f"{where}: {left}"
    assert mend() == [], where
    return seen


def _difference(seen: dict[str, object], wanted: dict[str, object]) -> dict[str, object]:
    return {key: (value, wanted[key]) for key, value in seen.items() if value != wanted[key]}


def kill_everywhere(host: Host, name: str, scene: Scene, most: int) -> int:
    """Kill a scene's command at its points; how often it died of it."""
    kills = 0
    wipe(host)
    do(host, *scene.first)
    before = still(host)
    found = calls(host, f"{EFFECTS},{PAGES}", *scene.command)
    after = still(host)
    stands = False
    for call in points(name, found, most):
        if not stands:
            wipe(host)
            do(host, *scene.first)
        died, stands = _one(host, scene, call, [before, after], f"{name}, killed at {call}")
        kills += died
    return kills


def _one(host: Host, scene: Scene, call: Call, wanted: list[dict[str, object]], where: str) -> tuple[bool, bool]:
    """Kill once and judge; did it die, and is the host as it was before, so that it can be killed again?"""
    died = killed_before(call, *scene.command)
    seen = agreed(host, wanted, where)
    names = re.findall(r'"Names":"(\w+)"', status_of_web(host))
    assert names in ([], ["web"]), where
    if scene.command[0] == "run" and "--rm" in scene.command:
        assert not names, where
    if not died:
        assert seen == wanted[1], where
    return died, seen == wanted[0] and not names and not scene.first


SHORT = {"net create": 5, "net rm": 4, "run --rm": 6, "run": 3, "run -d": 7, "start": 4, "stop": 4, "rm": 3, "rm -f": 4}


def test_killed_at_some_points(ready: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A seeded sample over all commands."""
    number = sum(kill_everywhere(ready, name, SCENES[name], most) for name, most in SHORT.items())
    with capsys.disabled():
        print(f" killed {number} times;", end="")
    assert number >= 36  # a call more or less is made each time


@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_killed_at_every_point(ready: Host, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    number = kill_everywhere(ready, name, SCENES[name], 0)
    with capsys.disabled():
        print(f" {name}: killed {number} times;", end="")
    assert number >= 20


def started(host: Host, *words: str, **more: object) -> subprocess.Popen[str]:
    """A foreground container named web, once its process runs."""
    child = host.start("run", "--name", "web", "--net", "br0", *words, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, **more)
    assert until(lambda: processes(host), lambda found: found["pid"] > 0 and _is(found["pid"], words[-2]))
    return child


def _is(pid: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0].endswith(program)
    return False


def running(host: Host) -> list[tuple[int, int]]:
    """PID 1 and the monitor of every container that runs."""
    return rows(host.directory / "run/run.db", "SELECT pid, monitor FROM running WHERE state = 'running'")


def processes(host: Host) -> dict[str, int]:
    """PID 1 and the monitor of the one container that runs; zeros while none does."""
    pid, monitor = (running(host) or [(0, 0)])[0]
    return {"pid": pid, "monitor": monitor}


def status_of_web(host: Host) -> str:
    return host.minidock("ps", "-a", "--format", "json").stdout


def test_kill_9_of_a_foreground_command_ends_its_container(ready: Host) -> None:
    """A foreground container dies with its CLI; the next command cleans up, --rm removes it."""
    before = still(ready)
    child = started(ready, "--rm", "sleep", "60")
    pid = processes(ready)["pid"]
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert until(lambda: os.path.exists(f"/proc/{pid}/exe"), lambda there: not there) is False
    assert ready.picture() != before  # the control: its veth and rules are there until somebody looks
    assert "was killed: cleaned up after it" in ready.minidock("ps").stderr
    assert agreed(ready, [before], "kill -9 of the CLI") == before
    assert status_of_web(ready) == ""


@pytest.mark.parametrize("victim", ["monitor", "pid"])
def test_kill_9_of_a_detached_container(ready: Host, victim: str) -> None:
    """Of its monitor: the container dies with it. Of PID 1: the monitor cleans up. Exit code 137 either way."""
    before = still(ready)
    ready.minidock(*WEB)
    found = processes(ready)
    os.kill(found[victim], signal.SIGKILL)
    assert childless()
    assert agreed(ready, [before], f"kill -9 of {victim}") == before
    assert '"Status":"Exited (137)' in status_of_web(ready)


def test_a_killed_monitor_does_not_speak_for_an_earlier_life(ready: Host) -> None:
    """The first life ended with 7; the second was killed with its monitor: 137, not 7 again."""
    ready.minidock("run", "-d", "--name", "web", "--net", "br0", "sh", "-c",
                   f"test -e {ready.directory}/second && sleep 60; exit 7")
    assert ready.minidock("wait", "web").stdout == "7\n"
    (ready.directory / "second").touch()
    ready.minidock("start", "web")
    os.kill(processes(ready)["monitor"], signal.SIGKILL)
    assert childless()
    mend()
    assert '"Status":"Exited (137)' in status_of_web(ready)


def test_kill_9_of_a_whole_process_group(ready: Host) -> None:
    """The CLI, its container and whatever else it started in its group, at once."""
    before = still(ready)
    child = started(ready, "--rm", "sleep", "60", process_group=0)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert childless()
    assert agreed(ready, [before], "kill -9 of the group") == before


def test_the_monitor_killed_at_every_step_of_its_reaping(ready: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """strace is attached to the monitor, follows it into `system reap`, and kills it at its Nth effect."""
    before = still(ready)
    ready.minidock(*WEB)
    steps = _reap_under(ready, 10**6)
    agreed(ready, [before], "reaped")
    picked = range(1, steps + 1) if LONG else random.Random(SEED).sample(range(1, steps + 1), 6)
    for number in picked:
        wipe(ready)
        ready.minidock(*WEB)
        _reap_under(ready, number)
        assert agreed(ready, [before], f"monitor killed at effect {number}") == before
        assert '"Status":"Exited (137)' in status_of_web(ready), number
    with capsys.disabled():
        print(f" monitor: {len(picked)} of {steps} points;", end="")


def _reap_under(host: Host, number: int) -> int:
    """Kill the container, and its monitor at that effect; how many effects there were."""
    found, log = processes(host), host.directory / "monitor.log"
    tracer = subprocess.Popen([*strace(str(log), "-e", f"trace={EFFECTS}", "-e",
                                       f"inject={EFFECTS}:signal=KILL:when={min(number, 65535)}"),
                               "-p", str(found["monitor"])], stderr=subprocess.PIPE, text=True)
    until(lambda: Path(f"/proc/{found['monitor']}/status").read_text(),
          lambda text: f"TracerPid:\t{tracer.pid}\n" in text)
    os.kill(found["pid"], signal.SIGKILL)
    tracer.wait(20)
    assert childless()
    return len(re.findall(r"^\w+\(", log.read_text(), re.MULTILINE))


def forget_the_boot(host: Host) -> None:
    """What a reboot leaves: ROOT, and a RUN (not on a tmpfs here) of another boot; nothing in the kernel."""
    with contextlib.closing(sqlite3.connect(host.directory / "run/run.db")) as sql:
        sql.execute("UPDATE meta SET value = 'an earlier one' WHERE key = 'boot'")
        sql.commit()


def _power_off(host: Host) -> None:
    """End all processes at once and empty the kernel, as no clean-up of ours would."""
    for _, monitor in running(host):
        os.kill(monitor, signal.SIGKILL)  # and its container dies with it
    assert childless()
    host.shell("for n in $(ip netns | grep -o 'md-[0-9a-f]*'); do ip netns del $n; done;"
               "for d in $(ip -o link show group 7777 | awk -F'[ :@]+' '{print $2}'); do ip link del $d; done;"
               "nft flush ruleset; echo 0 > /proc/sys/net/ipv4/ip_forward")
    forget_the_boot(host)


def test_after_power_was_cut(ready: Host) -> None:
    """Containers are Exited (255), --rm ones are gone, the network is built again at its first use."""
    ready.minidock(*WEB)
    ready.minidock("run", "-d", "--rm", "--name", "brief", "--net", "br0", "sleep", "60")
    before = _rules(ready)
    _power_off(ready)
    listed = status_of_web(ready)
    assert '"Names":"web"' in listed and '"Status":"Exited (255)' in listed
    assert "brief" not in listed
    assert disagreements(ready) == []
    assert "br-" not in ready.shell("ip -o link")
    ready.minidock("start", "web")
    assert "172.28.0.2/16" in ready.minidock("exec", "web", "ip", "addr").stdout
    assert [rule for rule in before if "172.28.0.3" not in rule] == _rules(ready)
    assert disagreements(ready) == []


def _rules(host: Host) -> list[str]:
    return host.shell("iptables-save | grep '^-A'").splitlines()


def test_power_cut_and_the_first_command_after_it_killed(ready: Host) -> None:
    """The promise to --rm containers outlives a kill -9 of the first command of the new boot."""
    ready.minidock("run", "-d", "--rm", "--name", "brief", "--net", "br0", "sleep", "60")
    _power_off(ready)
    steps = calls(ready, f"{EFFECTS},{PAGES}", "ps", "-a")
    for call in steps if LONG else steps[:: max(1, len(steps) // 8)]:
        ready.minidock("run", "-d", "--rm", "--name", "brief", "--net", "br0", "sleep", "60")
        _power_off(ready)
        killed_before(call, "ps", "-a")
        assert "brief" not in ready.minidock("ps", "-a").stdout, f"killed at {call}"
        assert disagreements(ready) == []
