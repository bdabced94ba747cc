"""A tiny `run`, `run -d` and `exec` for the tests of minidock/sandbox, a process as the real CLI is.

    python sandbox_cli.py run|detach|held|exec '{"argv": [...], ...}'

The JSON holds the fields of Process, and beside them etc_dir, log, directory, reap, keep, pid, started,
stdin, detached.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from minidock.errors import MinidockError
from minidock.model.process import Bind, Process
from minidock.sandbox.detach import Watch, detach
from minidock.sandbox.enter import enter
from minidock.sandbox.foreground import foreground
from minidock.sandbox.spawn import release, spawn

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def process_of(words: dict[str, Any]) -> Process:
    given = {name: words[name] for name in Process.fields if name in words}
    given["argv"] = tuple(given["argv"])
    given["env"] = tuple(tuple(pair) for pair in given.get("env", [["PATH", PATH]]))
    given["binds"] = tuple(Bind(*bind) for bind in given.get("binds", ()))
    given["sysctls"] = tuple(tuple(pair) for pair in given.get("sysctls", ()))
    given.setdefault("hostname", "guest")
    return Process(**given)


def run(words: dict[str, Any]) -> int:
    spawned = spawn(process_of(words), words.get("etc_dir", ""))
    release(spawned.go, spawned.failure)
    return foreground(spawned, words.get("log", ""), words.get("stdin", False))


def start(words: dict[str, Any], held: bool) -> int:
    reap, keep = tuple(words.get("reap", ())), tuple(words.get("keep", ()))
    watch = Watch(words["log"], words["directory"], reap, keep)
    detached = detach(process_of(words), words.get("etc_dir", ""), watch)
    print(json.dumps(dict(zip(type(detached).fields, detached, strict=True))), flush=True)
    if held:
        time.sleep(600)
    release(detached.go, detached.failure)
    return 0


def main() -> int:
    kind, words = sys.argv[1], json.loads(sys.argv[2])
    try:
        if kind == "run":
            return run(words)
        if kind == "exec":
            return enter(words["pid"], words["started"], process_of(words), words.get("detached", False))
        return start(words, held=kind == "held")
    except MinidockError as error:
        print(f"{error.what}\n{error.hint}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
