"""Find the program along the container's PATH and become it; say in Docker's words why not.

man 2 execve; the search is that of Go's os/exec.LookPath, which runc uses. Exit codes: 127 = not found,
126 = found but not executable.
"""

from __future__ import annotations

import errno
import os
import stat

from minidock.errors import CannotRun

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import NoReturn

_NOT_FOUND = {errno.ENOENT, errno.ENOTDIR}


def execute(argv: tuple[str, ...], env: tuple[tuple[str, str], ...]) -> NoReturn:
    """Replace this process by the program `argv[0]`; fails with CannotRun."""
    variables = dict(env)
    path = find(argv[0], variables.get("PATH", ""))
    try:
        os.execve(path, argv, variables)
    except OSError as error:
        code = 127 if error.errno in _NOT_FOUND else 126
        raise CannotRun(f"exec {path}: {_words(error)}", _hint(error.errno), code) from error


def find(name: str, path: str) -> str:
    """The file that `name` means: itself if it has a slash, else the first executable along `path`."""
    if "/" in name:
        _require_executable(name)
        return name
    for directory in path.split(":") if path else ():
        candidate = os.path.join(directory or ".", name)
        if _is_executable(candidate):
            return candidate
    raise CannotRun(f'exec: "{name}": executable file not found in $PATH', f"PATH is {path or 'empty'}", 127)


def _is_executable(path: str) -> bool:
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode) and os.access(path, os.X_OK, effective_ids=True)
    except OSError:
        return False


def _require_executable(name: str) -> None:
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        code = 127 if error.errno in _NOT_FOUND else 126
        raise CannotRun(f'exec: "{name}": stat {name}: {_words(error)}', exit_code=code) from error
    if stat.S_ISDIR(mode):
        raise CannotRun(f'exec: "{name}": is a directory', exit_code=126)
    if not os.access(name, os.X_OK, effective_ids=True):
        raise CannotRun(f'exec: "{name}": permission denied', f"make it executable: chmod +x {name}", 126)


def _words(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def _hint(code: int | None) -> str:
    if code == errno.ENOENT:
        return "the file is there: its interpreter (#! line or ELF loader) is missing in the container"
    if code == errno.ENOEXEC:
        return "a script needs a #! line; a binary must be built for this machine"
    return ""
