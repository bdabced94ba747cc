"""A shell in a lab: on its host (`host`, as the proofs call it), or in one of its namespaces or containers."""

from __future__ import annotations

import os
from collections.abc import Sequence

from minidock.labs import course
from minidock.labs.desk import Desk
from minidock.playground import visit

_IN_PLACE = """
place=$1; shift
[ $# -gt 0 ] || set -- "${SHELL:-/bin/bash}"
if [ "$place" = host ]; then exec nsenter --net=/proc/1/ns/net "$@"; fi
if [ -e "/run/netns/$place" ]; then exec ip netns exec "$place" "$@"; fi
exec minidock exec $([ -t 0 ] && echo -it) "$place" "$@"
"""


def enter(desk: Desk, place: str, command: Sequence[str]) -> int:
    """Run the command (none: a shell) there, with the learner's values in its environment; its exit code."""
    course.need_alive(desk)
    os.environ.update(desk.environment)
    if place:
        command = ["sh", "-c", _IN_PLACE, "sh", place, *command]
    if os.environ.get("MINIDOCK_PLAYGROUND") == desk.playground:
        shell = [os.environ.get("SHELL") or "/bin/bash"]
        os.execvp((command or shell)[0], list(command or shell))
    return visit.enter(desk.playground, command)
