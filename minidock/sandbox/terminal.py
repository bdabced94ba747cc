"""Terminals: a pair made inside the container, its master handed out, and our own one in raw mode.

The pair belongs to the container's devpts instance, so it has a name there (man 4 pts); its master travels
over a Unix socket (man 7 unix, SCM_RIGHTS).
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
from _socket import AF_UNIX, CMSG_LEN, CMSG_SPACE, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket, socketpair
from collections.abc import Iterator

from minidock.errors import CannotRun

Size = tuple[int, int]  # rows, columns


def channel() -> tuple[int, int]:
    """Two connected sockets over which a terminal's master can travel."""
    ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
    return ours.detach(), theirs.detach()


def require(stdin: bool, tty: bool) -> None:
    """Refuse `-i -t` where our input is no terminal, in the Docker client's words."""
    if stdin and tty and not os.isatty(0):
        what = "cannot attach stdin to a TTY-enabled container because stdin is not a terminal"
        raise CannotRun(what, "leave out -t", 1)


def size_of(fd: int) -> Size | None:
    """The window size of the terminal behind `fd`, None if it is none."""
    try:
        rows, columns = termios.tcgetwinsize(fd)
    except (termios.error, OSError):
        return None
    return rows, columns


def resize(fd: int, size: Size | None) -> None:
    """Set the window size; the kernel tells the foreground processes by SIGWINCH."""
    if size is not None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetwinsize(fd, size)


def adopt(channel_fd: int, size: Size | None) -> str:
    """Open a terminal in /dev/pts, send its master out and make it our controlling terminal; its name."""
    master, slave = os.openpty()
    resize(slave, size)
    _send(channel_fd, master)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    name = os.ttyname(slave)
    for number in range(3):
        os.dup2(slave, number)
    return name


def _send(channel_fd: int, fd: int) -> None:
    sender = socket(fileno=channel_fd)
    sender.sendmsg([b"t"], [(SOL_SOCKET, SCM_RIGHTS, array.array("i", [fd]))])
    sender.detach()


def receive(channel_fd: int) -> int:
    """The master sent by `adopt`, or -1 if the other side has ended without; closes the channel."""
    receiver = socket(fileno=channel_fd)
    _, ancillary, _, _ = receiver.recvmsg(1, CMSG_SPACE(4))
    receiver.close()
    if not ancillary:
        return -1
    master: int = array.array("i", ancillary[0][2][: CMSG_LEN(4) - CMSG_LEN(0)])[0]
    os.set_inheritable(master, False)
    return master


@contextlib.contextmanager
def raw(fd: int) -> Iterator[None]:
    """Let every key through `fd` unchanged while inside, and restore it whatever happens."""
    try:
        before = termios.tcgetattr(fd)
    except (termios.error, OSError):
        yield
        return
    try:
        _make_raw(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _make_raw(fd: int) -> None:
    """What cfmakeraw does (man 3 termios): the terminal inside does all the processing."""
    mode = termios.tcgetattr(fd)
    mode[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
    mode[0] &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
    mode[1] &= ~termios.OPOST
    mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
