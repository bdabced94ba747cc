"""The name server as a process: what it is at its start, and how commands speak to it.

Descriptors: 2 is RUN/dns.log, 3 the lock that says it lives, 4 where to say that it serves (keeper.py).
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sys
import time

from minidock.dns import bell, keeper
from minidock.errors import MinidockError

_LOCK, _READY = 3, 4
WAIT_SECONDS = 15.0  # on an emulated machine with other work its imports alone take more than five


def main() -> None:
    """Serve until the last container that needs names has ended."""
    run_directory = sys.argv[1]
    os.set_inheritable(_LOCK, False)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        _serve(run_directory)
    except BaseException:
        time.sleep(1)  # if it always fails, it shall not fail all the time: the monitors start it again
        raise


def _serve(run_directory: str) -> None:
    from minidock.dns.server import Server

    server = Server(run_directory)
    server.refresh()
    with contextlib.suppress(BrokenPipeError):  # who started us does not wait, or is dead
        os.write(_READY, b"1")
    os.close(_READY)
    gc.collect()
    gc.freeze()
    server.serve()


def attend(run_directory: str, container: str) -> None:
    """See to it that a container whose rows are written can ask for names, right now."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        keeper.ensure(run_directory)
        told = bell.ring(run_directory, container)
        if told is not None:
            if told:
                raise MinidockError(f"no name server for the container: {told}", f"see {run_directory}/dns.log")
            return
        time.sleep(0.01)  # it ends just now, or starts in another's hands
    raise MinidockError("the name server does not answer", f"see {run_directory}/dns.log")
