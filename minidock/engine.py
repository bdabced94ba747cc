"""The engine: build, raze, check, repair. It knows no driver and no object by name.

    build   create forward, each object written down before it is made
    amend   create and delete what differs
    raze    delete backward
    check   what of the journal is not in the kernel
    repair  make it again
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable

from minidock.errors import KernelRefused, Leftovers, MinidockError, Unsupported
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import Refusal
from minidock.objects import KernelObject, Plan
from minidock.store.journal import Entry, Journal

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

_LACKING = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
GONE = (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENXIO)

Witness = Callable[[str, KernelObject, bool], None]  # scope, object, made (True) or unmade (False)
Held = Callable[[], contextlib.AbstractContextManager[None]]


class Engine:
    """Brings plans into the kernel and out of it again."""

    def __init__(self, kernel: Kernel, journal: Journal, witness: Witness | None = None,
                 removing: Held = contextlib.nullcontext, ordering: Held = contextlib.nullcontext) -> None:
        self.kernel = kernel
        self.journal = journal
        self._removing = removing  # held from the intent to remove until it is done
        self._ordering = ordering  # held while what has an order is made
        self._witness: Witness = witness or (lambda scope, made, up: None)

    def build(self, scope: str, plan: Plan) -> None:
        """Create each object in order; on any failure leave nothing behind.

        Raises `KernelRefused` with the kernel's words, or `Conflict` naming who is in the way.
        """
        self.journal.open(scope)
        try:
            for item in plan:
                self._make(scope, item)
            self.kernel.settle()
            self.journal.built(scope)
        except BaseException:  # Ctrl-C too
            self.raze(scope)
            raise

    def amend(self, scope: str, plan: Plan) -> None:
        """Make a scope hold what the plan says, touching only what differs; on any failure nothing is left of it.

        What can take another's place in one step (rules) does: nobody sees a gap.
        """
        if not self.journal.is_built(scope):
            self.raze(scope)  # what a failure left of it
            self.build(scope, plan)
            return
        first, makes, last = differing(self.journal.entries(scope), plan)
        if not (first or makes or last):
            return
        try:
            self.journal.reopen(scope)
            self._drop(first)
            for item, older in makes:
                self._make(scope, item, older)
            self._drop(last)
            self.kernel.settle()
            self.journal.built(scope)
        except BaseException:
            self.raze(scope)
            raise

    def _drop(self, entries: list[Entry]) -> None:
        """Delete some objects of a scope that goes on."""
        for entry in entries:
            failure = self._unmake(entry)
            if failure:
                raise Leftovers(f"{entry.scope}: not everything could be removed: {failure}",
                                "run: minidock system repair")
            self.journal.forget(entry.row)

    def _make(self, scope: str, item: KernelObject, older: Entry | None = None) -> None:
        """Make it, or put it in the place of an older one."""
        row = self.journal.intend(scope, item)  # durable before the effect
        try:
            memo = self._create(scope, item.renew if older else item.create, item.ordered)
        except (OSError, MinidockError) as error:
            # A refusal is proof that nothing was made; deleting by name now could hit somebody else's object.
            self.journal.forget(row)
            raise _explained(item, error) from error
        if memo is not None:
            self.journal.note(row, memo)
        if older:
            self.journal.forget(older.row)
            self._witness(scope, older.object, False)
        self._witness(scope, item, True)

    def _create(self, scope: str, create: Callable[[Kernel], Any], ordered: bool) -> Any:
        """Where order counts (rules), the journal's is the kernel's: no other scope comes between the two."""
        if not ordered:
            return create(self.kernel)
        with self._ordering():
            self.journal.newest(scope)
            return create(self.kernel)

    def raze(self, scope: str) -> None:
        """Delete the objects of a scope and its children, newest first; already gone counts as deleted.

        What lives inside a namespace that goes too is left to die with it. Raises `Leftovers` at the end if
        something would not go; its rows stay for the next repair.
        """
        with self._removing():
            failures = self._raze(scope)
        if failures:
            raise Leftovers(f"{scope}: not everything could be removed: {'; '.join(failures)}",
                            "run: minidock system repair")

    def _raze(self, scope: str) -> list[str]:
        self.journal.razing(scope)
        entries = self.journal.entries(scope)
        doomed = {entry.object.makes for entry in entries} - {""}
        rows: list[int] = []
        failures: list[str] = []
        for entry in reversed(entries):
            failure = None if entry.object.home in doomed else self._unmake(entry)
            if failure:
                failures.append(failure)
            else:
                rows.append(entry.row)
        self.kernel.settle()
        self.journal.close(scope, rows)
        return failures

    def _unmake(self, entry: Entry) -> str:
        try:
            entry.object.delete(self.kernel, entry.memo)
        except (OSError, KernelRefused) as error:
            if getattr(error, "errno", 0) not in GONE:
                return str(_explained(entry.object, error).what)
        self._witness(entry.scope, entry.object, False)
        return ""

    def check(self, scope: str = "") -> list[Entry]:
        """The journalled objects of complete scopes that the kernel no longer holds as described."""
        built = {name for name, _ in self.journal.scopes("built")}
        return [entry for entry in self.journal.entries(scope)
                if entry.scope in built and not entry.object.exists(self.kernel)]

    def restore(self, entry: Entry) -> None:
        """Make a lost object again; what is left of it (a cable that is in no bridge any more) goes first."""
        try:
            entry.object.delete(self.kernel, entry.memo)
            memo = entry.object.create(self.kernel)
        except (OSError, MinidockError) as error:
            raise _explained(entry.object, error) from error
        if memo is not None:
            self.journal.note(entry.row, memo)
        self._witness(entry.scope, entry.object, True)


def differing(entries: list[Entry],
              plan: Plan) -> tuple[list[Entry], list[tuple[KernelObject, Entry | None]], list[Entry]]:
    """From these objects to that plan: what goes first; what is made, each with the one whose place it takes; what
    goes last."""
    present = [entry.object for entry in entries]
    old = [entry for entry in reversed(entries) if entry.object not in plan]
    makes = [(item, next((entry for entry in old if item.renews(entry.object)), None))
             for item in plan if item not in present]
    renewed = [older for _, older in makes]
    going = [entry for entry in old if entry not in renewed]
    return ([entry for entry in going if not entry.object.doubles], makes,
            [entry for entry in going if entry.object.doubles])


def _explained(item: KernelObject, error: OSError | MinidockError) -> MinidockError:
    code = getattr(error, "errno", 0) or 0
    commands = item.shell()
    what = commands[0] if commands else repr(item)
    if code == errno.EPERM:
        return Unsupported(f"{what}: operation not permitted: CAP_NET_ADMIN is missing here",
                           "run it as root of the machine, or in: minidock playground")
    if isinstance(error, MinidockError):
        return error
    hint = f"try it by hand: {what}"
    if code in _LACKING:
        return Unsupported(f"{what}: this kernel lacks a part that is needed: {error.strerror}",
                           "load it: modprobe bridge veth nf_tables; or use a kernel that has it")
    if isinstance(error, Refusal):
        return error.as_error(what, hint)
    return KernelRefused(f"{what}: {error.strerror} [{errno.errorcode.get(code, code)}]", hint, code)
