"""Starting the name server when nobody runs it: once, whoever tries, however often.

The server holds RUN/locks/dns (flock) from before its start to its end. Whoever gets that lock starts a server and
leaves the lock to it; whoever does not, knows that one runs. A container's monitor calls `ensure` when the
server has died. Imports next to nothing: a monitor loads this too, and lives as long as its container.

    caller --fork--> child --fork--> grandchild: new session, no files but the lock, exec of a bare interpreter
"""

import fcntl
import posix
import sys

_PARENT = __file__.rpartition("/")[0] + "/../.."
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from minidock.dns.process import main; main()"
_MODE = 0o600
_TERMINATE = 15  # signal.SIGTERM, without importing it


def ensure(run_directory: str, wait: bool = True) -> bool:
    """Start the server if none runs, and wait until it serves; True if that was needed."""
    lock = posix.open(f"{run_directory}/locks/dns", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        posix.ftruncate(lock, 0)  # a dead predecessor's pid
        _start(run_directory, lock, wait)
        return True
    finally:
        posix.close(lock)


def end(run_directory: str) -> None:
    """End the server, if one runs, and return when it is gone."""
    try:
        lock = posix.open(f"{run_directory}/locks/dns", posix.O_RDWR | posix.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = posix.pread(lock, 16, 0)
        if text.isdigit():  # the holder of the lock wrote it
            posix.kill(int(text), _TERMINATE)
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        posix.close(lock)


def _start(run_directory: str, lock: int, wait: bool) -> None:
    ready, word = posix.pipe()
    child = posix.fork()
    if child == 0:
        try:
            _close_all_but(lock, word)  # before our parent goes on: it may hold locks and pipes
            if posix.fork() == 0:
                _become(run_directory, lock, word)
        finally:
            posix._exit(0)
    posix.close(word)
    posix.waitpid(child, 0)
    if wait:
        posix.read(ready, 1)  # a byte when it serves; the end if it could not
    posix.close(ready)


def _close_all_but(*kept: int) -> None:
    first = 3
    for fd in (*sorted(kept), 1 << 20):
        posix.closerange(first, fd)
        first = fd + 1


def _become(run_directory: str, lock: int, word: int) -> None:
    """Leave the caller's session, files and directory; turn into the server."""
    posix.setsid()
    posix.chdir("/")
    posix.pwrite(lock, b"%d" % posix.getpid(), 0)  # for those who watch over it (sandbox/guard.py)
    log = posix.open(f"{run_directory}/dns.log", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, _MODE)
    null = posix.open("/dev/null", posix.O_RDWR)
    lock, word, log, null = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (lock, word, log, null))
    for number, source in enumerate((null, null, log, lock, word)):
        posix.dup2(source, number)
    posix.closerange(5, 1 << 20)
    posix.execv(sys.executable, (sys.executable, "-I", "-S", "-E", "-c", _START, _PARENT, run_directory))
