"""The one root of all errors a user can see, and its few children, split by what the reader does next.

A message is `what` (the object first, lower case, Docker's wording where Docker has one, the other party by
name) and `hint` (what to type next). Anything that is not a `MinidockError` is a bug.
"""

from __future__ import annotations

import errno as _errno


class MinidockError(Exception):
    """Something went wrong that the user can understand: says what, and what to type next."""

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class BadRequest(MinidockError):
    """The command itself is wrong: correct it."""

    exit_code = 2


class NotFound(MinidockError):
    """Nothing has that name or id."""

    exit_code = 3


class Conflict(MinidockError):
    """Somebody else owns it, or it is in use; the message says who."""

    exit_code = 4


class PoolExhausted(MinidockError):
    """No address, subnet or port is left; the message says who holds them."""

    exit_code = 5


class KernelRefused(MinidockError):
    """The kernel said no: keeps its own words and a command to see it again by hand."""

    exit_code = 6

    def __init__(self, what: str, hint: str = "", errno: int = 0) -> None:
        super().__init__(what, hint)
        self.errno = errno

    @property
    def name(self) -> str:
        """The symbolic errno, `ENODEV` and so on."""
        return _errno.errorcode.get(self.errno, str(self.errno))


class Unsupported(MinidockError):
    """This kernel or this user cannot do it; the message says what is missing."""

    exit_code = 7


class Leftovers(MinidockError):
    """Not everything could be removed; `minidock system repair` tries again."""

    exit_code = 8


class CannotRun(MinidockError):
    """The container's command cannot be started; exit code as `docker run`: 125, 126 or 127."""

    def __init__(self, what: str, hint: str = "", exit_code: int = 125) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code
