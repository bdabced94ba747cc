"""Measure minidock beside a shell script and a C program that do the same. Run by scripts/bench, in a playground.

Everything compared is measured in turns within one run, so that whatever else this machine does hits all alike:
trust the ratios more than the milliseconds. All numbers are medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

from names import names

MINIDOCK, FLOOR = sys.argv[1], sys.argv[2]  # the console script; the C program, or ""
QUICK = "--quick" in sys.argv
HERE = os.path.dirname(os.path.abspath(__file__))
BY_HAND = f"{HERE}/by-hand.sh"
ROUNDS = 7 if QUICK else 25
CROWD = (1, 25, 50) if QUICK else (1, 100, 500)
PAIRS = 5 if QUICK else 15
PAUSE_SECONDS = 0.1  # the last link dies
NUMBERS = count(1)

Command = Callable[[], list[str]]  # a fresh argv each time: names may not be used twice within milliseconds


def ms(argv: list[str]) -> float:
    """How long a whole process takes; it must succeed."""
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, NULL, 1)])
    status = os.waitpid(pid, 0)[1]
    took = (time.perf_counter() - began) * 1000
    if status:
        sys.exit(f"bench: {' '.join(argv)}: exit status {os.waitstatus_to_exitcode(status)}")
    return took


NULL = os.open(os.devnull, os.O_WRONLY)


def in_turns(cases: dict[str, Command], rounds: int = ROUNDS) -> dict[str, float]:
    """The medians of all cases, measured one after the other, round by round; the first round only warms up."""
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds + 1):
        for name, command in cases.items():
            took = ms(command())
            if turn:
                seen[name].append(took)
    return {name: statistics.median(times) for name, times in seen.items()}


def row(what: str, value: float, unit: str = "ms", beside: float = 0.0) -> None:
    """One line of the table; `beside` is what it is compared with."""
    ratio = f"{value / beside:7.2f} x" if beside else ""
    print(f"  {what:<66}{value:9.2f} {unit:<3}{ratio}", flush=True)


def head(text: str) -> None:
    print(f"\n{text}", flush=True)


def _fresh() -> list[str]:
    number = next(NUMBERS)
    return [f"n{number}", f"v{number}", f"172.28.{100 + number // 250}.{1 + number % 250}"]


def run_line(*more: str) -> list[str]:
    return [MINIDOCK, "run", "--rm", "--net", "br0", *more, "true"]


def whole_run() -> None:
    """One container, from nothing to nothing."""
    head("One container: start `true` in it, clean up (whole process; last column: minidock against it)")
    script, ruled = "script: 9 ip, unshare -pfmui", "the same script with its raw iptables rule"
    cases: dict[str, Command] = {
        "minidock run --rm --net br0 true": run_line,
        "minidock run --rm --net none true": lambda: [MINIDOCK, "run", "--rm", "--net", "none", "true"],
        "minidock --version (interpreter, click)": lambda: [MINIDOCK, "--version"],
        "python -c pass": lambda: [sys.executable, "-c", "pass"],
        script: lambda: ["sh", BY_HAND, "run", *_fresh()],
        ruled: lambda: ["sh", BY_HAND, "run", *_fresh(), "rule"],
    }
    if FLOOR:
        cases["C: the same calls, no rule, no journal"] = lambda: [FLOOR, "run", *_fresh()]
    found = in_turns(cases)
    ours = found["minidock run --rm --net br0 true"]
    for name, median in found.items():
        print(f"  {name:<66}{median:9.2f} ms {ours / median:7.2f} x", flush=True)


def whole_net() -> None:
    """One network, from nothing to nothing."""
    head("One network (two processes of minidock; one script)")
    made, removed, both = [], [], []
    for turn in range(ROUNDS + 1):
        name = f"t{turn}"
        made.append(ms([MINIDOCK, "net", "create", name, "--subnet", "172.27.0.0/16"]))
        removed.append(ms([MINIDOCK, "net", "rm", name]))
        both.append(ms(["sh", BY_HAND, "net", f"by{turn}"]))
    script = statistics.median(both[1:])
    row("minidock net create", statistics.median(made[1:]))
    row("minidock net rm", statistics.median(removed[1:]))
    row("script: 4 ip, 12 iptables (both)", script)


def one_endpoint() -> None:
    """The engine alone."""
    head("One endpoint in one process: rule, cable, address, route, journal (against C, which has no rule or journal)")
    times = "20" if QUICK else "60"
    python = subprocess.run([sys.executable, f"{HERE}/endpoint.py", times], capture_output=True, text=True, check=True)
    floors = [0.0, 0.0]
    if FLOOR:
        line = subprocess.run([FLOOR, "attach", "vfloor", "172.28.99.9", times], capture_output=True, text=True,
                              check=True)
        floors = [float(word) for word in line.stdout.split()]
    for name, word, floor in zip(("attach", "detach (the kernel's RCU grace included)"), python.stdout.split(), floors,
                                 strict=True):
        row(f"engine: {name}", float(word), beside=floor)
        if floor:
            row(f"C: {name.split()[0]}", floor)


def crowd() -> list[str]:
    """Fill the bridge; what the n-th start costs, beside the script's on the same bridge. The containers' names.

    The kernel takes longer in a crowd, whoever asks: a broadcast is cloned for each port, a mount namespace copies the
    mount of each sandbox. What the script's cost grows by is therefore taken off in the last column.
    """
    head(f"Detached starts on one bridge (medians of {PAIRS} around the n-th, in turns; last column: against the first,"
         " less what the script's grew by)")
    listed = subprocess.run(["ip", "-o", "-br", "link", "show", "type", "bridge"], capture_output=True, text=True,
                            check=True).stdout.split()
    os.environ["BRIDGE"] = next(word for word in listed if word.startswith("br-"))
    names = (f"c{number}" for number in count(1))
    started: list[str] = []
    first = (0.0, 0.0)
    for number in CROWD:
        while len(started) < number - 1 - PAIRS // 2:
            _start(started, names)
        pairs = [(_start(started, names), _by_hand()) for _ in range(PAIRS)]
        ours, script = (statistics.median(times) for times in zip(*pairs, strict=True))
        first = first if first[0] else (ours, script)
        ordinal = f"the {number}{'st' if number == 1 else 'th'} container"
        row(f"{ordinal}: minidock run -d sleep", ours, beside=first[0])
        row(f"{ordinal}: script, 9 ip, unshare -pfmui", script, beside=first[1])
        row(f"{ordinal}: minidock, less the script's growth", ours - script + first[1], beside=first[0])
    return started


def _start(started: list[str], names: Iterator[str]) -> float:
    name = next(names)
    took = ms([MINIDOCK, "run", "-d", "--name", name, "--net", "br0", "sleep", "100000"])
    started.append(name)
    return took


def _by_hand() -> float:
    """The script's start; its end is not counted."""
    name, nic, address = _fresh()
    took = ms(["sh", BY_HAND, "start", name, nic, address])
    ms(["sh", BY_HAND, "stop", name, nic])
    time.sleep(PAUSE_SECONDS)
    return took


def _monitors() -> Iterator[int]:
    """The processes that watch detached containers."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"monitor" in file.read() and int(pid) != os.getpid():
                    yield int(pid)
        except OSError:
            continue


def _private_kb(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))


def memory(everybody: list[str]) -> None:
    """What an idle detached container holds beside its own command."""
    head(f"Memory of idle detached containers ({len(everybody)} of them)")
    kilobytes = [_private_kb(pid) for pid in _monitors()][:20]
    if len(kilobytes) != min(20, len(everybody)):
        sys.exit(f"bench: {len(kilobytes)} monitors found, not 20")
    row("private memory of one monitor", statistics.median(kilobytes) / 1000, "MB")


def together(what: str, command: Command, number: int) -> float:
    """Start so many at once; ms until the last has ended."""
    commands = [command() for _ in range(number)]
    began = time.perf_counter()
    pids = [os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, NULL, 1)])
            for argv in commands]
    failures = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    took = (time.perf_counter() - began) * 1000
    if failures:
        print(f"  {what}: {failures} of {number} FAILED", flush=True)
    return took


def parallel() -> None:
    """Fifty at once."""
    head("50 at once (median of 3), total")
    cases: dict[str, Command] = {"minidock run --rm --net br0 true": run_line,
                                 "script: 9 ip, unshare -pfmui": lambda: ["sh", BY_HAND, "run", *_fresh()]}
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(3):
        for name, command in cases.items():
            seen[name].append(together(name, command, 50))
            time.sleep(0.3)  # the last links die
    script = statistics.median(seen["script: 9 ip, unshare -pfmui"])
    for name, times in seen.items():
        row(name, statistics.median(times), beside=script)


def main() -> None:
    print(f"Python {sys.version.split()[0]} · Linux {os.uname().release} · {os.cpu_count()} processors ·"
          f" load {os.getloadavg()[0]:.1f} · {ROUNDS} rounds")
    subprocess.run([MINIDOCK, "net", "create", "br0", "--subnet", "172.28.0.0/16"], check=True, stdout=NULL)
    subprocess.run(["ip", "link", "add", "br0", "up", "type", "bridge"], check=True)  # the scripts' and C's own
    whole_run()
    whole_net()
    one_endpoint()
    parallel()
    head("The name server (10 containers, 50 names)")
    names(MINIDOCK, row)
    for part in ("ports.py", "classroom.py"):
        subprocess.run([sys.executable, f"{HERE}/{part}", MINIDOCK, *sys.argv[3:]], check=True)
    everybody = crowd()
    memory(everybody)
    subprocess.run([MINIDOCK, "rm", "-f", *everybody], check=True, stdout=NULL)


main()
