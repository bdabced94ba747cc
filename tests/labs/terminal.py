"""A real terminal, with a learner's shell in it: what is typed there, and all that is seen."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect

from tests.kernel.playground_cli import HOME

COLUMNS, LINES = 250, 200
OUTSIDE, INSIDE, ANSWER = r"learner\$ ", r"\(\S+\) \S*# ", r"(?<=\n)> "
CONTINUED = ANSWER  # bash asks for the rest of a loop as a lab asks for a prediction
_INPUTRC = "set enable-bracketed-paste off\n"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class Terminal:
    """A wide one. Each line is typed when the one before has been answered by a prompt."""

    def __init__(self, home: Path) -> None:
        (home / "inputrc").write_text(_INPUTRC)
        environment = {"HOME": str(home), "PS1": "learner$ ", "TERM": "xterm", "LANG": "C.UTF-8", "LOGNAME": "learner",
                       "SHELL": "/bin/bash", "INPUTRC": str(home / "inputrc"), "PYTHONPATH": str(HOME),
                       "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._shell = pexpect.spawn("/bin/bash", ["--norc", "--noprofile", "-i"], env=environment, cwd=str(home),
                                    encoding="utf-8", timeout=60, dimensions=(LINES, COLUMNS))
        self.seen = ""
        self.wait(OUTSIDE)

    def close(self) -> None:
        """Close it, and end its shell."""
        self._shell.close(force=True)

    def wait(self, *prompts: str) -> str:
        """Until one of the prompts; what was seen meanwhile."""
        self._shell.expect([f"(?:{prompt})$" for prompt in prompts])
        shown = _ESCAPES.sub("", self._shell.before + self._shell.after).replace("\r\n", "\n").replace("\r", "")
        self.seen += shown
        return shown

    def type(self, line: str, *prompts: str) -> str:
        """A line, and Enter; what is answered until one of the prompts."""
        self._shell.send(line + "\r")
        return self.wait(*prompts or (OUTSIDE, INSIDE, CONTINUED))
