"""What a class costs: playgrounds that stay, all made at once; their memory, the kernel's share too.

Run in a playground by bench.py, where no other playgrounds are; prints a table. The kernel's memory is that of the
whole machine (/proc/meminfo) before and after, so others' work shows in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

MINIDOCK, QUICK = sys.argv[1], "--quick" in sys.argv
LEARNERS = [f"learner{number}" for number in range(1, (5 if QUICK else 20) + 1)]
ALONE = [f"alone{number}" for number in range(1, (3 if QUICK else 7) + 1)]
WORK = "minidock net create br0 && minidock run -d --net br0 sleep 100000"
KERNEL = ("Slab:", "KernelStack:", "PageTables:", "Percpu:")


def start(name: str) -> list[str]:
    return [MINIDOCK, "playground", "--name", name, "--", "true"]


def work(name: str) -> list[str]:
    return [MINIDOCK, "playground", "enter", name, "--", "sh", "-c", WORK]


def remove(names: list[str]) -> list[str]:
    return [MINIDOCK, "playground", "rm", *names]


def at_once(commands: list[list[str]]) -> float:
    """Milliseconds until the last has ended; all must succeed."""
    began = time.perf_counter()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        sys.exit("bench: a playground failed")
    return (time.perf_counter() - began) * 1000


def kernel_kb() -> int:
    with open("/proc/meminfo") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(KERNEL))


def private_kb() -> list[int]:
    listed = subprocess.run([MINIDOCK, "playground", "ls", "--format", "json"], check=True, capture_output=True)
    return [room["private_kb"] for room in json.loads(listed.stdout) if room["name"] in LEARNERS]


def row(what: str, value: float, unit: str) -> None:
    print(f"  {what:<66}{value:9.2f} {unit}", flush=True)


def memory(what: str, kernel: int) -> None:
    row(f"private memory of one, {what}", statistics.median(private_kb()) / 1000, "MB")
    row(f"kernel memory for one, {what}", (kernel_kb() - kernel) / len(LEARNERS) / 1000, "MB")


def main() -> None:
    print(f"\nA class: {len(LEARNERS)} playgrounds on this machine", flush=True)
    alone = [at_once([start(name)]) for name in ALONE]
    row("one playground, until its first command has ended", statistics.median(alone), "ms")
    at_once([remove(ALONE)])
    kernel = kernel_kb()
    row("all at once, until the last is there", at_once([start(name) for name in LEARNERS]), "ms")
    memory("empty", kernel)
    row("a network and a container in each, all at once", at_once([work(name) for name in LEARNERS]), "ms")
    memory("with these", kernel)
    row("removing them all", at_once([remove(LEARNERS)]), "ms")


os.chdir("/")
main()
