"""`run -d`: a monitor of its own holds the container, and nothing of the caller.

    caller --fork--> monitor --clone3--> PID 1, waits for `go`, which the caller holds
                        |                   exec of the program
                        +--exec--> monitor.py, still PID 1's parent: copies the log, waits, reaps

The container writes into a pipe, not into the log file itself: /dev/stdout must not be a file that
`echo x > /dev/stdout` would truncate.
"""

from __future__ import annotations

import os
import sys

from minidock.errors import CannotRun
from minidock.model.process import Process
from minidock.model.record import Record
from minidock.sandbox import birth, liveness, spawn

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import NoReturn

_HERE = os.path.dirname(os.path.abspath(__file__))
# Imported, not run as a script: that compiles it anew each time, 0.3 MB of memory that never comes back.
_START = "import sys; sys.path.append(sys.argv.pop(1)); import monitor; monitor.main()"


class Detached(Record):
    """A held-back PID 1 and its monitor; `go` and `failure` are ours to close."""

    pid: int
    started: int
    monitor_pid: int
    monitor_started: int
    go: int
    failure: int


class Watch(Record):
    """What the monitor is told: the log, where to leave the exit code, whom to call, what sockets to hold, and the
    RUN directory whose name server it keeps alive."""

    log_path: str
    directory: str
    reap: tuple[str, ...]
    keep: tuple[int, ...] = ()
    names: str = ""
    channel: int = -1  # where it hears of errands


def detach(process: Process, etc_dir: str, watch: Watch) -> Detached:
    """Start a monitor and, held back, its container; if we die before `go`, both end by themselves."""
    pipes = spawn.wires()
    answer, question = os.pipe()
    monitor = os.fork()
    if monitor == 0:
        spawn.close(pipes.go[1], pipes.failure[0], answer)
        _become_monitor(process, etc_dir, watch, pipes, question)
    spawn.close(pipes.go[0], pipes.failure[1], question)
    text = spawn.read_all(answer)
    os.close(answer)
    if not text.isdigit():
        spawn.close(pipes.go[1], pipes.failure[0])
        os.waitpid(monitor, 0)
        spawn.complain(text or b"125\0the monitor ended before its container was started\0")
    pid = int(text)
    born, watching = liveness.start_time(pid), liveness.start_time(monitor)
    return Detached(pid, born, monitor, watching, pipes.go[1], pipes.failure[0])


def _become_monitor(
    process: Process, etc_dir: str, watch: Watch, pipes: spawn.Wires, question: int
) -> NoReturn:
    """Leave the caller's session, clone PID 1, tell its pid, and turn into the script."""
    try:
        os.setsid()
        os.chdir("/")
        own, theirs = spawn.streams(process, joined=True)
        pid = spawn.clone(process, etc_dir, theirs, pipes)
        os.write(question, str(pid).encode())
        _execute(pid, own, watch)
    except CannotRun as error:
        os.write(question, "\0".join((str(error.exit_code), error.what, error.hint)).encode())
    finally:
        os._exit(125)


def _execute(pid: int, own: spawn.Streams, watch: Watch) -> NoReturn:
    """Keep the wires and the sockets to hold, drop everything else, and exec to be rid of the memory."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    kind, source = ("terminal", own.terminal) if own.terminal >= 0 else ("pipe", own.stdout)
    kept = {fd for fd in (own.stdin, source, watch.channel, *watch.keep) if fd >= 0}
    for fd in kept:
        os.set_inheritable(fd, True)
    birth.close_all_but(kept)
    flags = ("-I", "-S", "-E")
    words = ("-c", _START, _HERE, str(pid), kind, str(source), watch.log_path, watch.directory, watch.names,
             str(watch.channel), " ".join(map(str, watch.keep)))
    os.execv(sys.executable, (sys.executable, *flags, *words, *watch.reap))
