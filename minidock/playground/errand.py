"""A piece of our own program done in a playground: a child joins its namespaces, its child does it and tells.

    CLI --fork--> joins --fork--> does it, in the PID namespace too
     ^                              |
     +------ the result, pickled ---+

Without exec: what is imported already need not be imported again.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from minidock import errors
from minidock.errors import MinidockError
from minidock.kernel import syscalls
from minidock.playground import entry

_PR_SET_PDEATHSIG = 1


def done(pidfd: int, pid: int, name: str, task: Callable[[], Any]) -> Any:
    """The task's result; an error a user can understand is raised again here, any other as RuntimeError."""
    told, tell = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _go(pidfd, pid, name, task, tell)
    os.close(tell)
    with open(told, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return _understood(text)


def _go(pidfd: int, pid: int, name: str, task: Callable[[], Any], tell: int) -> NoReturn:
    try:
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        environment = entry.environment(name)
        entry.join(pidfd, pid)
        inner = os.fork()
        if inner == 0:
            syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir("/")
            gc.freeze()  # what we were born with is not looked through, which would copy all of it
            _say(tell, ("result", task()))
        else:
            os.waitpid(inner, 0)
    except MinidockError as error:
        _say(tell, ("error", type(error).__name__, error.what, error.hint))
    except BaseException:
        import traceback

        _say(tell, ("bug", traceback.format_exc()))
    os._exit(0)


def _say(tell: int, word: tuple[Any, ...]) -> None:
    data = memoryview(pickle.dumps(word))
    while data:
        data = data[os.write(tell, data):]


def _understood(text: bytes) -> Any:
    if not text:
        raise errors.NotFound("the playground has just ended", "minidock playground ls")
    word: Any = pickle.loads(text)
    if word[0] == "result":
        return word[1]
    if word[0] == "error":
        raise getattr(errors, word[1])(word[2], word[3])
    raise RuntimeError(word[1])
