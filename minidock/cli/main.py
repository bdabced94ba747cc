"""The command `minidock`: words like `docker network` and `docker run`.

Errors are one sentence on stderr, with a hint; a bug is one line and the
path of a log.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from minidock import __version__
from minidock.errors import MinidockError

_FAIL_AS_DOCKER_RUN = ("run", "create", "exec")  # 125


def main() -> None:
    """Run the command line and leave at once: the interpreter's own way out costs milliseconds."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    # Arguments need not be UTF-8 (file names): such bytes come out as they came in.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    code = _guarded()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)


def _terminated(number: int, frame: object) -> None:
    """End as by Ctrl-C: what is half done is taken back."""
    sys.exit(128 + number)


def _guarded() -> int:
    try:
        return _dispatched()
    except MinidockError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    except BrokenPipeError:
        return 0
    except Exception as error:
        return _bug(error)


def _dispatched() -> int:
    """`run`, plainly typed, goes without click, whose import takes half as long as all the rest of it."""
    if sys.argv[1:2] == ["run"]:
        from minidock.cli import plain, running

        given = plain.parse(running.OPTIONS, sys.argv[2:])
        if given is not None:
            return running.run(given)
    from minidock.cli.group import invoke

    return invoke()


def report(error: MinidockError) -> int:
    """Print an error as a sentence with its hint; the exit code."""
    print(f"minidock: {error.what}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    from minidock.errors import CannotRun

    return 125 if _runs() and not isinstance(error, CannotRun) else error.exit_code


def _runs() -> bool:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return words[:1] != [] and words[0] in _FAIL_AS_DOCKER_RUN


def _bug(error: Exception) -> int:
    import tempfile
    import traceback

    if os.environ.get("MINIDOCK_DEBUG"):
        traceback.print_exc()
        return 70
    text = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} minidock {__version__} {sys.argv}\n{traceback.format_exc()}"
    fd, path = tempfile.mkstemp(prefix="minidock-bug-", suffix=".log")
    with open(fd, "w") as file:
        file.write(text)
    print(f"minidock: this is a bug in minidock: {type(error).__name__}: {error}; details are in {path}",
          file=sys.stderr)
    return 70
