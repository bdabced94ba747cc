#!/usr/bin/env python3
"""How many known names a second the embedded server answers, how late, in how much memory.

Needs root and dnsperf; in the repository: PYTHONPATH=. python scripts/bench.d/dns_queries.py

Beside our server it measures the smallest loop that could answer at all, on the same machine at the same time: their
ratio means more than either number.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from _socket import AF_INET, SOCK_DGRAM, socket
from pathlib import Path

from minidock.dns import wire
from minidock.kernel import netns, syscalls
from tests.ground import fresh_host
from tests.kernel.dns_stage import PORT, SANDBOX, stage

SECONDS, RATE = 3, 15_000


def floor(port: int) -> int:
    """A process that answers everything with one address, without looking."""
    with netns.inside(SANDBOX):
        mine = socket(AF_INET, SOCK_DGRAM)
    mine.bind(("127.0.0.11", port))
    child = os.fork()
    if child:
        mine.close()
        return child
    waiting = select.epoll()
    waiting.register(mine.fileno(), select.EPOLLIN)
    mine.setblocking(False)
    answer = wire.record(1, 600, bytes(4))
    while True:
        waiting.poll()
        try:
            for _ in range(64):
                query, sender = mine.recvfrom(4096)
                mine.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + answer, sender)
        except BlockingIOError:
            pass


def cpu_seconds(pid: int) -> float:
    """What a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(port: int, questions: str, pid: int) -> str:
    """dnsperf's opinion, and the processor time of each answer."""
    before = cpu_seconds(pid)
    line = f"ip netns exec {SANDBOX} dnsperf -s 127.0.0.11 -p {port} -d {questions} -c 4 -q 100 -l {SECONDS}"
    text = subprocess.run(line.split(), capture_output=True, text=True, check=True).stdout
    done = int(re.findall(r"Queries completed:\s+(\d+)", text)[0])
    return f"{done / SECONDS:9,.0f} q/s  {(cpu_seconds(pid) - before) / done * 1e6:5.1f} us of processor each"


def late(port: int) -> str:
    """Ask at an even rate; the median and the 99th percentile of the times to the answer."""
    with netns.inside(SANDBOX):
        mine = socket(AF_INET, SOCK_DGRAM)
    mine.connect(("127.0.0.11", port))
    mine.setblocking(False)
    sent: dict[int, float] = {}
    times: list[float] = []
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) - began < SECONDS:
        if count < (now - began) * RATE:
            sent[count & 0xFFFF] = now
            mine.send(wire.query(f"name{count % 50}", 1, count & 0xFFFF))
            count += 1
        try:
            times.append(time.monotonic() - sent[int.from_bytes(mine.recv(512)[:2], "big")])
        except BlockingIOError:
            continue
    times.sort()
    return (f"{len(times):,} of {count:,} answered, median {times[len(times) // 2] * 1e6:.0f} us,"
            f" p99 {times[len(times) * 99 // 100] * 1e6:.0f} us")


def main() -> None:
    """Measure inside a network namespace of our own."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    os.makedirs("/run/netns")
    with (tempfile.TemporaryDirectory() as directory, fresh_host(Path(directory)) as host,
          stage(host, Path(directory)) as ground):
        questions = f"{directory}/questions"
        for number in range(50):
            ground.name(f"name{number}", f"10.0.0.{number + 1}", f"c{number}")
        Path(questions).write_text("".join(f"name{number} A\n" for number in range(50)))
        ground.container()
        ours, other = ground.server_pid(), floor(PORT + 1)
        try:
            for _ in range(2):
                print("smallest loop ", flood(PORT + 1, questions, other))
                print("minidock      ", flood(PORT, questions, ours))
            print(f"at {RATE:,} q/s:", late(PORT))
        finally:
            os.kill(other, 9)
            os.waitpid(other, 0)
        private = [line for line in Path(f"/proc/{ours}/smaps_rollup").read_text().splitlines()
                   if line.startswith("Private")]
        print(f"private memory: {sum(int(line.split()[1]) for line in private):,} kB")


if __name__ == "__main__":
    sys.exit(main())
