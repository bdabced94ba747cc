"""`lab new`: a lab that works, to be changed into another."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from minidock.errors import BadRequest, Conflict
from minidock.labs.folder import HERE

PAGE = HERE / "TEACHERS.md"


def make(directory: str) -> str:
    """Copy the template there; the path as it can be given to the other commands."""
    path = Path(directory)
    if not re.fullmatch(r"\d+-[a-z0-9-]+", path.name):
        raise BadRequest(f"a lab's folder is called as its number and name, not {path.name!r}",
                         "minidock lab new 20-my-lab")
    if path.exists():
        raise Conflict(f"{path} exists already", "choose another number or name")
    try:
        shutil.copytree(HERE / "template", path, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        raise BadRequest(f"{error.filename or path}: {error.strerror}", "minidock lab new 20-my-lab") from error
    return str(path) if os.sep in str(path) else f"./{path}"
