"""What published ports cost: a connection through the first and the last of many, and a start with few and many.

Run in a playground by bench.py; prints a table. Clients ask from outside, through DNAT. Each -p is a rule of its own
here (all lead to port 80), but for the range, which is one.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from socket import create_connection

from minidock.kernel import netns

MINIDOCK, QUICK = sys.argv[1], "--quick" in sys.argv
MANY = 100 if QUICK else 1000
ROUNDS = 50 if QUICK else 300
HOST, FIRST = "198.51.100.2", 20000
SERVER = "import socket as s; l = s.create_server(('', 80), backlog=512)\nwhile True: l.accept()[0].close()"


def start(name: str, *flags: str) -> float:
    """Milliseconds of a detached start; the server listens when it returns."""
    began = time.perf_counter()
    program = (sys.executable, "-c", SERVER)
    subprocess.run([MINIDOCK, "run", "-d", "--name", name, "--init", "--net", "br0", *flags, *program],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def stop(name: str) -> None:
    subprocess.run([MINIDOCK, "rm", "-f", name], check=True, stdout=subprocess.DEVNULL)


def singles(count: int) -> list[str]:
    return [word for port in range(FIRST, FIRST + count) for word in ("-p", f"0.0.0.0:{port}:80")]


def connect(port: int) -> float:
    """Microseconds until a connection stands."""
    began = time.perf_counter()
    with create_connection((HOST, port), 2):
        return (time.perf_counter() - began) * 1e6


def ready(port: int) -> None:
    for _ in range(200):
        try:
            connect(port)
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"bench: nobody answers at port {port}")


def connections() -> None:
    start("many", *singles(MANY))
    start("range", "-p", f"0.0.0.0:{FIRST + 5000}-{FIRST + 5000 + MANY - 1}:80-{79 + MANY}")
    with netns.inside("internet"):
        ready(FIRST)
        ready(FIRST + 5000)
        places = {"the first published port": FIRST, f"the {MANY}th, a rule each": FIRST + MANY - 1,
                  f"the first of a range of {MANY}, one rule": FIRST + 5000}
        seen: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(ROUNDS):
            for name, port in places.items():
                seen[name].append(connect(port))
    first = statistics.median(seen["the first published port"])
    for name, times in seen.items():
        median = statistics.median(times)
        print(f"  {'a connection through ' + name:<66}{median:9.0f} us {median / first:7.2f} x", flush=True)
    stop("many")
    stop("range")


def starts() -> None:
    cases = {"no port": [], "10 ports": singles(10), f"{MANY} ports, a rule each": singles(MANY),
             f"a range of {MANY}, one rule": ["-p", f"0.0.0.0:{FIRST}-{FIRST + MANY - 1}:80-{79 + MANY}"]}
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(2 if QUICK else 7):
        for name, flags in cases.items():
            seen[name].append(start("web", *flags))
            stop("web")
    least = statistics.median(seen["no port"])
    for name, times in seen.items():
        median = statistics.median(times)
        print(f"  {'run -d with ' + name:<66}{median:9.2f} ms {median / least:7.2f} x", flush=True)


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each published port is an open file of the monitor
    os.chdir("/")
    print("\nPublished ports", flush=True)
    starts()
    connections()


main()
