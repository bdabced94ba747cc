"""The selftests of many labs, several at once: a process each, its lines printed together."""

from __future__ import annotations

import os
import select
import time
import traceback
from collections.abc import Callable, Sequence

from minidock.errors import MinidockError
from minidock.labs.folder import Folder
from minidock.labs.selftest import Selftest


def examine(folders: Sequence[Folder], seed: str, jobs: int, tell: Callable[[str], object]) -> int:
    """Try all labs; how many are not honest, or could not be tried on this kernel."""
    from minidock.probes import trial

    trial.warm()  # once, before the processes part
    began = time.monotonic()
    waiting, running, bad = list(folders), dict[int, int](), 0
    while waiting or running:
        while waiting and len(running) < jobs:
            pipe, pid = _begin(waiting.pop(0), seed)
            running[pipe] = pid
        for pipe in select.select(list(running), [], [])[0]:
            with open(pipe, "rb") as told:
                tell(told.read().decode().rstrip())
            bad += os.waitstatus_to_exitcode(os.waitpid(running.pop(pipe), 0)[1]) != 0
    tell(f"{len(folders) - bad} of {len(folders)} labs are honest, {time.monotonic() - began:.0f} s")
    return bad


def _begin(folder: Folder, seed: str) -> tuple[int, int]:
    told, tell = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(tell)
        return told, pid
    os.close(told)
    code = 1
    try:
        text, code = _examined(folder, seed)
    except BaseException:
        text = f"{folder.name}  ✘ {traceback.format_exc()}"
    with open(tell, "wb", closefd=True) as pipe:
        pipe.write(text.encode() + b"\n")
    os._exit(code)


def _examined(folder: Folder, seed: str) -> tuple[str, int]:
    began, lines, code = time.monotonic(), [], 0
    try:
        for fact in Selftest(folder, seed).run():
            lines.append(f"  {'✘' if fact.wrong else '✔'} {fact.what} ({fact.seconds:.1f} s)")
            lines += [f"      {line}" for line in fact.wrong.splitlines()]
            code = code or int(bool(fact.wrong))
    except MinidockError as error:
        lines += [f"  ✘ {error.what}", f"      hint: {error.hint}"]
        code = 1
    return "\n".join([f"{folder.name}  {time.monotonic() - began:.1f} s", *lines]), code
