"""The monitor of a detached container: keeps its log, waits for its end, then has it reaped.

Run by a bare interpreter for as long as the container lives, so it loads almost nothing (2.7 MB of its own
memory, against 9 of a forked command). detach.py writes the arguments.
"""

import posix
import sys
from select import POLLIN, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minidock.sandbox.guard import Guard


def receive_terminal(channel: int) -> int:
    """The terminal's master from the container, or -1 if that ended without one."""
    import _socket  # 80 kB that containers without a terminal need not pay

    receiver = _socket.socket(fileno=channel)
    _, ancillary, _, _ = receiver.recvmsg(1, _socket.CMSG_SPACE(4))
    receiver.close()
    return int.from_bytes(ancillary[0][2][:4], sys.byteorder) if ancillary else -1


def copy(source: int, log: int) -> bool:
    """Copy one piece into the log; False at the end (EIO is a terminal's way to say so)."""
    try:
        text = posix.read(source, 65536)
    except OSError:
        return False
    if not text:
        return False
    try:
        while text:
            text = text[posix.write(log, text) :]
    except OSError:
        pass  # the disk is full: lose the words, keep the container running
    return True


def watch(pid: int, source: int, log: int, guard: "Guard | None", channel: int, held: "list[int]") -> int:
    """Copy until the container is dead and all it wrote is read; its exit code."""
    pidfd = posix.pidfd_open(pid)
    waiting = poll()
    waiting.register(pidfd, POLLIN)
    for fd in (source, channel):
        if fd >= 0:
            waiting.register(fd, POLLIN)
    while True:
        ready = [fd for fd, _ in waiting.poll(guard.patience_ms if guard else None)]
        if source in ready:
            if not copy(source, log):
                waiting.unregister(source)
        elif channel in ready:
            guard = errand(channel, held, guard, waiting)
        elif pidfd in ready:
            break
        if guard:
            attend(waiting, guard, ready)
    code = posix.waitstatus_to_exitcode(posix.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def errand(channel: int, held: "list[int]", guard: "Guard | None", waiting: "poll") -> "Guard | None":
    """Do what a command wants of us (errands.py); who guards the name server from now on."""
    import errands  # type: ignore[import-not-found]  # by its place, as this file is

    word, _, run_directory = errands.receive(channel, held).partition(" ")
    if word == "guard":
        return guard or guard_of(run_directory)
    if word == "unguard" and guard:
        if guard.pidfd >= 0:
            waiting.unregister(guard.pidfd)
        guard.leave()
        return None
    return guard


def guard_of(run_directory: str) -> "Guard":
    """Who keeps the name server alive."""
    from guard import Guard  # type: ignore[import-not-found]  # without names there is nothing to pay

    return Guard(run_directory, name_server)  # type: ignore[no-any-return]


def attend(waiting: "poll", guard: "Guard", ready: list[int]) -> None:
    """Let the guard of the name server do its part, and watch what it wants watched."""
    before = guard.pidfd
    if guard.tend(ready):
        if before >= 0:
            waiting.unregister(before)
        if guard.pidfd >= 0:
            waiting.register(guard.pidfd, POLLIN)


def name_server(run_directory: str) -> None:
    """Start the name server if there is none."""
    here = __file__.rpartition("/")[0]
    sys.path.append(f"{here}/../dns")
    import keeper  # type: ignore[import-not-found]  # by its place, as this file is

    keeper.ensure(run_directory, wait=False)


def leave_word(directory: str, code: int) -> None:
    """Write the exit code so that a reader finds all of it or no file; the directory may be gone."""
    try:
        file = posix.open(f"{directory}/exit.new", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o644)
        posix.write(file, b"%d\n" % code)
        posix.close(file)
        posix.rename(f"{directory}/exit.new", f"{directory}/exit")
    except OSError:
        pass


def main() -> None:
    pid, kind, wire, log_path, directory, names, channel, kept, *reap = sys.argv[1:]
    log = posix.open(log_path, posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC, 0o640)
    source = receive_terminal(int(wire)) if kind == "terminal" else int(wire)
    guard = guard_of(names) if names else None
    code = watch(int(pid), source, log, guard, int(channel), [int(fd) for fd in kept.split()])
    leave_word(directory, code)
    posix.closerange(3, 1 << 30)  # the kept sockets too: their ports are free before the reaper says so
    if reap:
        posix.execv(reap[0], [*reap, str(code)])
