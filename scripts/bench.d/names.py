"""What the name server of real containers does: questions for known names, asked at 127.0.0.11 port 53 in a sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from _socket import AF_INET, SOCK_DGRAM, socket
from collections.abc import Callable
from signal import SIGKILL

from minidock.dns import wire
from minidock.kernel import netns

CONTAINERS, ALIASES = 10, 5
RATE, SECONDS = 15_000, 3
Row = Callable[[str, float, str], None]


def names(minidock: str, row: Row) -> None:
    """Start containers, measure, remove them."""
    started = [_start(minidock, number) for number in range(CONTAINERS)]
    known = [f"n{number}a{alias}" for number in range(CONTAINERS) for alias in range(ALIASES)]
    sandbox = f"md-{started[0][:12]}"
    if shutil.which("dnsperf"):
        rate, busy = _per_second(sandbox, known)
        row("known names a second, thousands, while dnsperf takes the other processor", rate / 1000, "k/s")
        row("processor time of the server for one answer", busy * 1e6, "us")
    else:
        print("  dnsperf is not here (sudo apt-get install dnsperf): the row of questions a second is left out")
    count, times = _times(sandbox, known)
    row(f"answered of {RATE:,} questions a second", len(times) / count * 100, "%")
    row(f"answer at {RATE:,} questions a second: median", times[len(times) // 2] * 1000, "ms")
    row(f"answer at {RATE:,} questions a second: 99th percentile", times[len(times) * 99 // 100] * 1000, "ms")
    row("private memory of the name server", _private_kb(_server()) / 1000, "MB")
    row(f"longest silence at {RATE:,} questions a second, the server killed", _silence(sandbox, known), "ms")
    subprocess.run([minidock, "rm", "-f", *started], check=True, stdout=subprocess.DEVNULL)


def _start(minidock: str, number: int) -> str:
    aliases = [word for alias in range(ALIASES) for word in ("--network-alias", f"n{number}a{alias}")]
    line = [minidock, "run", "-d", "--net", "br0", *aliases, "sleep", "100000"]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


def _per_second(sandbox: str, known: list[str]) -> tuple[float, float]:
    """Answers a second, and the server's processor seconds for each."""
    before = _processor_seconds()
    with tempfile.NamedTemporaryFile("w") as questions:
        questions.write("".join(f"{name} A\n" for name in known))
        questions.flush()
        line = f"ip netns exec {sandbox} dnsperf -s 127.0.0.11 -d {questions.name} -c 4 -q 100 -l {SECONDS}"
        text = subprocess.run(line.split(), check=True, capture_output=True, text=True).stdout
    if not re.search(r"Response codes:\s+NOERROR \d+ \(100.00%\)", text):
        raise SystemExit(f"bench: not all names were known:\n{text}")
    done = int(re.findall(r"Queries completed:\s+(\d+)", text)[0])
    return float(re.findall(r"Queries per second:\s+([0-9.]+)", text)[0]), (_processor_seconds() - before) / done


def _processor_seconds() -> float:
    with open(f"/proc/{_server()}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _times(sandbox: str, known: list[str]) -> tuple[int, list[float]]:
    """Ask at an even rate; how often, and the seconds to each answer, in order."""
    with netns.inside(sandbox):
        mine = socket(AF_INET, SOCK_DGRAM)
    mine.connect(("127.0.0.11", 53))
    mine.setblocking(False)
    sent: dict[int, float] = {}
    times: list[float] = []
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) - began < SECONDS:
        if count < (now - began) * RATE:
            sent[count & 0xFFFF] = now
            mine.send(wire.query(known[count % len(known)], 1, count & 0xFFFF))
            count += 1
        try:
            times.append(time.monotonic() - sent[int.from_bytes(mine.recv(512)[:2], "big")])
        except BlockingIOError:
            continue
    return count, sorted(times)


def _silence(sandbox: str, known: list[str]) -> float:
    """Milliseconds between two answers at most, while questions go on coming and the server is killed half-way."""
    with netns.inside(sandbox):
        mine = socket(AF_INET, SOCK_DGRAM)
    mine.connect(("127.0.0.11", 53))
    mine.setblocking(False)
    began = last = time.monotonic()
    count, longest, victim = 0, 0.0, _server()
    while (now := time.monotonic()) - began < SECONDS:
        if victim and now - began > SECONDS / 2:
            os.kill(victim, SIGKILL)
            victim = 0
        try:
            if count < (now - began) * RATE:
                count += 1
                mine.send(wire.query(known[count % len(known)], 1, count & 0xFFFF))
            mine.recv(512)
        except (BlockingIOError, ConnectionRefusedError):
            continue
        longest, last = max(longest, now - last), now
    return max(longest, time.monotonic() - last) * 1000


def _server() -> int:
    with open(f"{os.environ.get('MINIDOCK_RUN', '/run/minidock')}/locks/dns") as file:
        return int(file.read())


def _private_kb(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
