"""What commands ask of a container's monitor while it waits: RUN/containers/ID/monitor, a datagram socket.

    hold            the sockets that come with it are held until the container ends
    drop FD …       let go of these
    guard RUN       keep the name server of that RUN directory alive
    unguard         no longer

The monitor reads by `receive`, which imports nothing before the first errand: most containers never get one.
"""

import posix
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 200  # descriptors in one message; the kernel takes 253 (SCM_MAX_FD)


def opened(directory: str) -> int:
    """The monitor's end, bound; a predecessor's is replaced."""
    import _socket

    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    here = _at(directory)
    try:
        posix.unlink(f"{directory}/monitor")
    except FileNotFoundError:
        pass
    try:
        made.bind(f"/proc/self/fd/{here}/monitor")
    finally:
        posix.close(here)
    return made.detach()


def _at(directory: str) -> int:
    """A socket's address may have 108 bytes only (man 7 unix), however deep the directory lies."""
    return posix.open(directory, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)


def receive(channel: int, held: "list[int]") -> str:
    """Do the next errand, `held` being the sockets we hold; what is not ours to do: `guard RUN`, `unguard`."""
    import _socket

    end = _socket.socket(fileno=channel)
    try:
        text, ancillary, _, _ = end.recvmsg(65536, _socket.CMSG_SPACE(4 * _MOST), _socket.MSG_DONTWAIT)
    except OSError:
        return ""
    finally:
        end.detach()
    word, _, rest = text.decode().partition(" ")
    for _, _, packed in ancillary:
        held += [int.from_bytes(packed[at : at + 4], byteorder) for at in range(0, len(packed), 4)]
    for number in map(int, rest.split() if word == "drop" else ()):
        if number in held:
            held.remove(number)
            posix.close(number)
    return text.decode() if word in ("guard", "unguard") else ""


def hold(directory: str, sockets: "Sequence[int]") -> None:
    """The monitor gets its own copies of these sockets."""
    for first in range(0, len(sockets), _MOST):
        part = sockets[first : first + _MOST]
        _send(directory, "hold", b"".join(fd.to_bytes(4, byteorder) for fd in part))


def drop(directory: str, numbers: "Sequence[int]") -> None:
    """The monitor closes its descriptors with these numbers."""
    for first in range(0, len(numbers), 5000):
        _send(directory, " ".join(["drop", *map(str, numbers[first : first + 5000])]))


def guard(directory: str, run_directory: str) -> None:
    """The monitor keeps the name server alive."""
    _send(directory, f"guard {run_directory}")


def unguard(directory: str) -> None:
    """The monitor lets the name server be: its container has no names any more."""
    _send(directory, "unguard")


def _send(directory: str, text: str, descriptors: bytes = b"") -> None:
    """Nothing is sent where nobody listens: the monitor is dead, and so is its container soon."""
    import _socket

    mine = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    mine.settimeout(10)
    here = _at(directory)
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)] if descriptors else []
    try:
        mine.sendmsg([text.encode()], ancillary, 0, f"/proc/self/fd/{here}/monitor")
    except (ConnectionRefusedError, FileNotFoundError):
        return
    finally:
        posix.close(here)
        mine.close()
