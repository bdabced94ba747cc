"""RUN/dns.sock, at which commands tell the name server to look again, and hear when it has.

    command  --- container's id, or "" for all --->  server
    command  <-- "" or a trouble ---  server

Not sending only costs time: the server looks by itself each second.
"""

from __future__ import annotations

import contextlib
import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket
from collections.abc import Iterator


@contextlib.contextmanager
def _short_path(run_directory: str) -> Iterator[str]:
    """The socket in less than the 108 bytes that its address may have (man 7 unix), however deep RUN lies."""
    directory = os.open(run_directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/dns.sock"
    finally:
        os.close(directory)


def hung(run_directory: str) -> socket:
    """The server's end; a predecessor's is replaced."""
    made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
    taken_down(run_directory)
    with _short_path(run_directory) as path:
        made.bind(path)
    return made


def taken_down(run_directory: str) -> None:
    """The server's end is there no more."""
    with contextlib.suppress(OSError):
        os.unlink(f"{run_directory}/dns.sock")


def ring(run_directory: str, container: str) -> str | None:
    """What the server says of the container: "" if all is well, None if it says nothing within a second."""
    with contextlib.suppress(OSError), contextlib.closing(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)) as mine:
        mine.bind("")  # the kernel gives it a name, to be answered at (man 7 unix, autobind)
        mine.settimeout(1)
        _send(mine, run_directory, container.encode())
        return mine.recv(4096).decode()
    return None


def nudge(run_directory: str) -> None:
    """Have the server look again, without waiting."""
    with contextlib.suppress(OSError), contextlib.closing(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)) as mine:
        mine.setblocking(False)
        _send(mine, run_directory, b"")


def _send(mine: socket, run_directory: str, text: bytes) -> None:
    with _short_path(run_directory) as path:
        mine.sendto(text, path)
