"""`minidock events`: a follower sees what happens, in Docker's order and words, and nothing that did not happen."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from minidock.store import events as store
from tests.ground import Host, until

SUBNET = ("--subnet", "172.28.0.0/16")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[-+]\d\d:\d\d) "
                  r"(network|container) (.+?) ([0-9a-f]{64}) \((.*)\)\n")
DESTROYED = ("network disconnect", "container die", "container destroy")


class Follower:
    """`minidock events` in the background; Ctrl-C ends it."""

    def __init__(self, host: Host, *flags: str) -> None:
        self.path = host.directory / "followed"
        with self.path.open("w") as out:
            self.process = host.start("events", "--since", "1h", *flags, stdout=out, stderr=subprocess.PIPE)

    def lines(self, number: int, seconds: float = 5) -> list[str]:
        """What it has printed, once it is so much (or the time is over)."""
        return until(lambda: self.path.read_text().splitlines(keepends=True), lambda seen: len(seen) >= number, seconds)

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert (self.process.communicate(timeout=5)[1].strip(), self.process.returncode) == ("", 130)


def told(host: Host, *flags: str) -> list[dict[str, Any]]:
    """All events so far."""
    out = host.minidock("events", "--until", "0s", "--format", "json", *flags).stdout
    return [json.loads(line) for line in out.splitlines()]


def words(found: list[dict[str, Any]]) -> list[str]:
    return [f"{event['Type']} {event['Action']}" for event in found]


def test_a_follower_sees_a_network_and_its_containers_come_and_go(host: Host) -> None:
    """In Docker's order, each line as Docker prints it, while it happens."""
    began, follower = time.monotonic(), Follower(host)
    network = host.minidock("net", "create", "br0", *SUBNET).stdout.strip()
    assert len(follower.lines(1)) == 1  # it is told while we go on
    host.minidock("run", "--rm", "--name", "one", "--label", "a=b", "--net", "br0", "sh", "-c", "sleep 1; exit 7",
                  check=False)
    web = host.minidock("run", "-d", "--name", "web", "--init", "--net", "br0", "sleep", "100").stdout.strip()
    host.minidock("exec", "web", "sh", "-c", "exit 3", check=False)
    host.minidock("rename", "web", "shop")
    host.minidock("stop", "shop")
    host.minidock("rm", "shop")
    host.minidock("net", "rm", "br0")
    lines = follower.lines(20)
    follower.end()
    seconds = [int(text) for text in re.findall(r"execDuration=(\d+)", "".join(lines))]
    assert len(seconds) == 2 and 1 <= seconds[0] <= time.monotonic() - began
    found = [LINE.fullmatch(re.sub(r"execDuration=\d+", "execDuration=N", line)) for line in lines]
    assert all(found), lines
    one = found[1].group(3)  # type: ignore[union-attr]
    joined = f"container={one}, name=br0, type=bridge"
    told_of_one = [("container", "create", one, "a=b, name=one"), ("network", "connect", network, joined),
                   ("container", "start", one, "a=b, name=one"), ("network", "disconnect", network, joined),
                   ("container", "die", one, "a=b, execDuration=N, exitCode=7, name=one"),
                   ("container", "destroy", one, "a=b, name=one")]
    groups = [match.groups() for match in found if match]
    assert groups[0] == ("network", "create", network, "name=br0, type=bridge")
    assert groups[1:7] == told_of_one
    exec_id = re.search(r"execID=([0-9a-f]{64}), ", groups[10][3]).group(1)  # type: ignore[union-attr]
    joined = joined.replace(one, web)
    assert groups[7:] == [
        ("container", "create", web, "name=web"), ("network", "connect", network, joined),
        ("container", "start", web, "name=web"), *_exec(web, exec_id),
        ("container", "rename", web, "name=shop, oldName=/web"), ("container", "kill", web, "name=shop, signal=15"),
        ("network", "disconnect", network, joined),
        ("container", "die", web, "execDuration=N, exitCode=143, name=shop"), ("container", "stop", web, "name=shop"),
        ("container", "destroy", web, "name=shop"), ("network", "destroy", network, "name=br0, type=bridge")]


def _exec(container: str, exec_id: str) -> list[tuple[str, ...]]:
    return [("container", "exec_create: sh -c exit 3", container, f"execID={exec_id}, name=web"),
            ("container", "exec_start: sh -c exit 3", container, f"execID={exec_id}, name=web"),
            ("container", "exec_die", container, f"execID={exec_id}, exitCode=3, name=web")]


def test_json_has_dockers_shape(host: Host) -> None:
    """The keys of Docker 29, without the `status`, `id` and `from` that API 1.52 dropped; templates see them too."""
    network = host.minidock("net", "create", "br0", *SUBNET).stdout.strip()
    (event,) = told(host)
    assert list(event) == ["Type", "Action", "Actor", "scope", "time", "timeNano"]
    assert event["Actor"] == {"ID": network, "Attributes": {"name": "br0", "type": "bridge"}}
    assert event["time"] == event["timeNano"] // 10**9 and abs(time.time() - event["time"]) < 60
    form = "{{.Type}} {{.Scope}} {{.TimeNano}} {{.Actor.Attributes.type}} {{index .Actor.Attributes \"x\"}}|"
    shown = host.minidock("events", "--until", "0s", "--format", form).stdout
    assert shown == f"network local {event['timeNano']} bridge |\n"
    assert "can't evaluate field Nope in type *events.Message" in \
        host.minidock("events", "--format", "{{.Nope}}", check=False).stderr


def test_filters(host: Host) -> None:
    """One of several values, all of several keys, all labels; names and ids by their beginning."""
    network = host.minidock("net", "create", "br0", *SUBNET).stdout.strip()
    host.minidock("run", "--rm", "--name", "web", "--label", "a=b", "--label", "c", "--net", "br0", "true")
    every = words(told(host))
    assert every == ["network create", "container create", "network connect", "container start", *DESTROYED]

    def kept(*texts: str) -> list[str]:
        return words(told(host, *(word for text in texts for word in ("-f", text))))

    assert kept("type=network") == ["network create", "network connect", "network disconnect"]
    assert kept("event=start", "event=die") == ["container start", "container die"]
    assert kept("type=network", "event=start", "event=connect") == ["network connect"]
    assert kept("container=we") == [word for word in every if word.startswith("container")]
    assert kept(f"network={network[:12]}", "event=create") == ["network create"]
    assert kept("label=a=b", "label=c", "event=start") == ["container start"]
    assert kept("label=a=b", "label=d") == kept("label=a=x") == kept("type=image") == kept("scope=swarm") == []
    assert kept("scope=local") == every


def test_since_and_until(host: Host) -> None:
    """By span, by date, by number; both ends belong to it; a time to come ends the following."""
    for name in ("br0", "br1", "br2"):
        host.minidock("net", "create", name)
    first, middle, last = [event["timeNano"] for event in told(host)]
    assert first < middle < last
    stamp = host.shell(f"date -u -d @{middle // 10**9} +%Y-%m-%dT%H:%M:%S").strip() + f".{middle % 10**9:09d}Z"
    number = f"{middle // 10**9}.{middle // 1000 % 10**6:06d}"
    for moment in (stamp, number):
        names = [event["Actor"]["Attributes"]["name"] for event in told(host, "--since", moment)]
        assert names == ["br1", "br2"], moment
        names = host.minidock("events", "--until", moment, "--format", "{{.Actor.Attributes.name}}").stdout
        assert names.split() == ["br0", "br1"], moment
    assert len(told(host, "--since", "1h")) == 3
    began = time.monotonic()
    live = host.start("events", "--until", "-1500ms", "--format", "{{.Action}}", stdout=subprocess.PIPE)
    time.sleep(0.3)
    host.minidock("net", "rm", "br1")
    assert live.communicate(timeout=5)[0].split() == ["create"] * 3 + ["destroy"]
    assert 1.3 < time.monotonic() - began < 3
    wrong = host.minidock("events", "--since", "1m", "--until", "2m", check=False)
    assert wrong.stderr.startswith("minidock: `since` time (1m) cannot be after `until` time (2m)\n")
    assert host.minidock("events", "--since", "noon", check=False).stderr.startswith(
        'minidock: failed to parse value as time or duration: "noon"\n')


def test_without_since_only_what_comes(host: Host) -> None:
    """The control is another follower, which asked for the past."""
    host.minidock("net", "create", "br0")
    past = Follower(host, "--format", "{{.Action}}")
    fresh = host.start("events", "--format", "{{.Action}}", stdout=subprocess.PIPE)
    until(lambda: "events" in os.popen(f"ls -l /proc/{fresh.pid}/fd").read(), bool)  # it has opened the file
    host.minidock("net", "rm", "br0")
    assert past.lines(2) == ["create\n", "destroy\n"]
    time.sleep(0.2)
    past.end()
    fresh.send_signal(signal.SIGINT)
    assert fresh.communicate(timeout=5)[0] == "destroy\n"


def test_a_rehearsal_and_a_failure_tell_nothing(host: Host) -> None:
    """What is not done is not told; the control: the same commands in earnest."""
    host.minidock("net", "create", "br0", *SUBNET)
    host.minidock("create", "--name", "idle", "--net", "br0", "true")
    before = told(host)
    for command in (("run", "--net", "br0", "true"), ("net", "create", "br1"), ("start", "idle"), ("rm", "idle"),
                    ("rename", "idle", "busy"), ("net", "prune"), ("net", "rm", "br0")):
        host.minidock(command[0], *(command[1:2] if command[0] == "net" else ()), "--dry-run",
                      *command[2 if command[0] == "net" else 1:])
    assert host.minidock("run", "--rm", "--net", "br0", "nosuchprogram", check=False).returncode == 127
    assert host.minidock("net", "create", "br0", check=False).returncode == 4
    assert told(host) == before
    assert host.minidock("run", "--name", "bad", "--net", "br0", "nosuchprogram", check=False).returncode == 127
    assert words(told(host))[len(before):] == ["container create"]  # it stays, as in Docker, and never started
    host.minidock("rm", "idle", "bad")
    host.minidock("net", "prune", "-f")
    assert words(told(host))[-4:] == ["container destroy", "container destroy", "network destroy", "network prune"]


def test_a_follower_goes_on_through_rotations_and_a_reset(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event once, in order, whatever is renamed; the files stay bounded; so does history."""
    host.minidock("net", "create", "br0")
    follower = Follower(host, "--format", "{{.Actor.ID}}")
    assert len(follower.lines(1)) == 1
    monkeypatch.setattr(store, "MAX_BYTES", 20_000)
    run = f"{host.directory}/run"
    children = [_writer(run, number, 150) for number in range(3)]  # about 4 rotations of 100 events each
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    lines = [line.split("-") for line in until(lambda: follower.lines(451), bool)[1:]]
    for number in range(3):
        assert [int(place) for who, place in lines if who == str(number)] == list(range(150))
    assert os.path.getsize(f"{run}/events.old") < 25_000 and os.path.getsize(f"{run}/events") < 25_000
    kept = [event["Actor"]["ID"] for event in told(host)]
    assert 100 < len(kept) < 300 and kept == ["-".join(line).strip() for line in lines][-len(kept):]
    host.minidock("system", "reset", "-f")
    host.minidock("net", "create", "br0", *SUBNET)
    assert until(lambda: len(follower.lines(0)), lambda seen: seen >= 453) == 453  # br0's end and its new beginning
    follower.end()


def _writer(run: str, number: int, times: int) -> int:
    """A process that tells so many events."""
    child = os.fork()
    if child == 0:
        writer = store.Events(run)
        for place in range(times):
            writer.tell("network", "create", f"{number}-{place}", {"name": "x" * 40})
            time.sleep(0.008)
        os._exit(0)
    return child


def test_a_full_disk_loses_events_and_fails_nothing(host: Host) -> None:
    """Events have a small disk of their own here; the line that was cut harms no other."""
    host.minidock("net", "create", "br0")
    place = host.directory / "full"
    place.mkdir()
    host.shell(f"mount -t tmpfs -o size=8k tmpfs {place}; mv {host.directory}/run/events {place}/events;"
               f"ln -s {place}/events {host.directory}/run/events")
    try:
        writer = store.Events(str(place))
        for number in range(100):
            writer.tell("network", "create", str(number), {"name": "x" * 100})
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (place / "events").open("ab", buffering=0).write(b"x" * 9000)
        host.minidock("net", "create", "br1")
        host.shell(f"mount -o remount,size=64k {place}")
        host.minidock("net", "create", "br2")
        names = [event["Actor"]["Attributes"]["name"] for event in told(host)]
        assert (names[0], names[-1]) == ("br0", "br2") and "br1" not in names
        assert 20 < names.count("x" * 100) < 60
    finally:
        host.shell(f"umount {place}")


def test_long_labels_and_commands_stay_within_a_line(host: Host) -> None:
    """The longest labels are left out; what every event has is there."""
    labels = ("--label", f"long={'ü' * 3000}", "--label", "short=1")
    host.minidock("run", "-d", "--name", "web", *labels, "--net", "none", "sleep", "100")
    host.minidock("exec", "web", "true", "\x01" * 9000)
    text = (host.directory / "run/events").read_bytes()
    assert max(map(len, text.splitlines())) <= 4096
    found = told(host)
    assert found[0]["Actor"]["Attributes"] == {"name": "web", "short": "1"}
    assert found[3]["Action"].startswith("exec_create: true \x01") and found[3]["Actor"]["Attributes"]["execID"]


def test_telling_costs_less_than_a_tenth_of_a_millisecond(host: Host) -> None:
    """The median of a thousand."""
    host.minidock("net", "create", "br0")
    writer, times = store.Events(f"{host.directory}/run"), []
    for _ in range(1000):
        began = time.perf_counter()
        writer.tell("container", "start", "0" * 64, {"name": "web", "com.example.label": "value"})
        times.append(time.perf_counter() - began)
    assert sorted(times)[500] < 1e-4
    assert len(told(host)) == 1001
