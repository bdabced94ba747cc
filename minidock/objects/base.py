"""What every kernel object has in common: four short verbs, and where it lives.

`create` is exclusive, `delete` forgives absence and spares what does not carry our mark, `exists` looks,
`shell` says the same thing as commands a person would type (`shell_undo`: the way back).
"""

from __future__ import annotations

from minidock.kernel.handle import Kernel
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


class KernelObject(Record):
    """One thing the kernel can hold. Plans are tuples of these, parents first."""

    why: str  # one sentence for learners: what it is there for

    @property
    def home(self) -> str:
        """The namespace it lives in ("" = the host): what lives inside a namespace dies with it."""
        return ""

    @property
    def makes(self) -> str:
        """The namespace it makes, if it makes one."""
        return ""

    @property
    def doubles(self) -> bool:
        """Can it stay until what comes after it is there?"""
        return False

    @property
    def ordered(self) -> bool:
        """Does its place among others of its kind tell when it was made?"""
        return False

    def renews(self, older: KernelObject) -> bool:
        """Can it take the place of that one, in one step?"""
        return False

    def renew(self, kernel: Kernel) -> Any:
        """Do so; memo as of `create`."""
        raise NotImplementedError

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        """The devices it makes, as (namespace, name)."""
        return ()

    def create(self, kernel: Kernel) -> Any:
        """Make it, or raise `Refusal`; may return a memo that helps to delete it later."""
        raise NotImplementedError

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        """Unmake it; already gone counts as done."""
        raise NotImplementedError

    def exists(self, kernel: Kernel) -> bool:
        """Is it there, as described?"""
        raise NotImplementedError

    def shell(self) -> tuple[str, ...]:
        """The commands that make it."""
        raise NotImplementedError

    def shell_undo(self) -> tuple[str, ...]:
        """The commands that unmake it."""
        raise NotImplementedError

    def told(self, made: bool = True) -> list[tuple[str, str]]:
        """The commands with their reasons, one sentence for the first of them."""
        commands = self.shell() if made else self.shell_undo()
        return [(command, "" if number else self.why) for number, command in enumerate(commands)]


Plan = tuple[KernelObject, ...]


def ip(netns: str, words: str) -> str:
    """An `ip` command, in a namespace if one is named."""
    return f"ip -n {netns} {words}" if netns else f"ip {words}"
