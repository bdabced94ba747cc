"""A shell in a lab: on its host (`host`, as the proofs call it), or in one of its namespaces or containers."""

from __future__ import annotations

import os
from collections.abc import Sequence

from minidock.labs import course
from minidock.labs.desk import Desk
from minidock.playground import visit
from minidock.playground.ground import BASHRC

_IN_PLACE = f"""
export MINIDOCK_PLACE="$1"; shift
shell=${{SHELL:-/bin/bash}} network=
[ "$MINIDOCK_PLACE" != host ] || network='nsenter --net=/proc/1/ns/net'
[ ! -e "/run/netns/$MINIDOCK_PLACE" ] || network="ip netns exec $MINIDOCK_PLACE"
[ -n "$network" ] || exec minidock exec $([ -t 0 ] && echo -it) "$MINIDOCK_PLACE" "${{@:-$shell}}"
[ $# -gt 0 ] || case $shell in */bash) set -- "$shell" --rcfile {BASHRC} ;; *) set -- "$shell" ;; esac
exec $network "$@"
"""


def enter(desk: Desk, place: str, command: Sequence[str]) -> int:
    """Run the command (none: a shell) there, with the learner's values in its environment; its exit code."""
    course.need_alive(desk)
    os.environ.update({name: value for name, value in desk.environment.items() if not name.startswith("_")})
    if place:
        command = ["sh", "-c", _IN_PLACE, "sh", place, *command]
    if os.environ.get("MINIDOCK_PLAYGROUND") == desk.playground:
        shell = [os.environ.get("SHELL") or "/bin/bash"]
        os.execvp((command or shell)[0], list(command or shell))
    return visit.enter(desk.playground, command)
