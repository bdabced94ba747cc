"""What is done in a lab's playground, by a process that stands in it: scripts, the check, pictures of the kernel."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from minidock.errors import BadRequest, MinidockError
from minidock.kernel import syscalls
from minidock.labs import needs
from minidock.labs.folder import HERE, Folder
from minidock.model.record import Record
from minidock.playground import visit
from minidock.playground.ground import PROGRAMS

TOOLS = "/run/lab"
_SCRIPT_SECONDS = 60
_LISTED = b"link show\naddress show\nroute show table all\nrule show\nneighbor show nud permanent\n"
_TRANSIENT = r"link-netns(?:id)? \S+ ?|NO-CARRIER,| state [A-Z]+|(?<=@)if[0-9]+"
_KINDS = (r"veth|bridge forward.* ageing_time [0-9]+|hairpin (?:on|off)|isolated (?:on|off)|macvlan.*|vxlan[^\\]*"
          r"|alias.*")
_GROUPS = ("33:33:", "01:00:5e:")  # multicast, joined for each address when it has settled
_PASSING = "bash|python3?|minidock"  # processes


class Ran(Record):
    """A script that ended: its exit code, and all it said."""

    code: int
    output: str


def within(playground: str, task: Callable[[], Any]) -> Any:
    """Do it in the playground; where we stand in it already, here."""
    if os.environ.get("MINIDOCK_PLAYGROUND") != playground:
        return visit.within(playground, task)
    with open("/proc/1/ns/net") as host:  # this may be a shell in one of its namespaces
        syscalls.setns(host.fileno(), syscalls.CLONE_NEWNET)
    return task()


def script(path: Path, environment: dict[str, str]) -> Ran:
    """Run a shell script. What it leaves in the background goes on; its output is not waited for."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(["bash", "-euo", "pipefail", str(path)], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env={**os.environ, **environment}, start_new_session=True)
        try:
            code = process.wait(_SCRIPT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        output.seek(0)
        return Ran(code, output.read().decode(errors="replace"))


def furnished(wanted: Iterable[str]) -> list[str]:
    """Lay the tools; what the lab needs of the kernel, and it has not."""
    _lay_tools()
    return needs.missing(wanted)


def _lay_tools() -> None:
    """Put the labs' small programs on the playground's PATH; in containers, whose PATH is Docker's, it is /run/lab/…"""
    os.makedirs(TOOLS, exist_ok=True)
    for tool in (HERE / "tools").iterdir():
        text = tool.read_text(encoding="utf-8")
        head = "" if text.startswith("#!") else f"#!{sys.executable} -ISE\n"
        with open(f"{TOOLS}/{tool.name}", "w", encoding="utf-8") as file:
            file.write(head + text)
            os.fchmod(file.fileno(), 0o755)
        os.symlink(f"{TOOLS}/{tool.name}", f"{PROGRAMS}/{tool.name}")


def judged(folder: Folder, values: dict[str, Any], stage: int, prediction: str) -> Any:
    """Run the check; a `probes.trial.Verdict`."""
    if importlib.util.find_spec("scapy") is None:
        raise MinidockError("the checks of labs are made with scapy, which is not installed",
                            "pip install 'minidock[wire]'")
    from minidock.probes.proof import Lab
    from minidock.probes.trial import Trial
    from minidock.probes.words import Unproven

    lab = Lab(values, stage, prediction)
    try:
        folder.check()(lab)
        return Trial(lab).run()
    except Unproven as unproven:
        raise BadRequest(f"{folder.path / 'check.py'} reads a fact before the run: {unproven}",
                         "give a function: dst=lambda: web.eth0.ip") from unproven
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        import traceback

        raise BadRequest(f"{folder.path / 'check.py'}: {type(error).__name__}: {error}",
                         "".join(traceback.format_tb(error.__traceback__)[-3:])) from error


def picture() -> str:
    """All that the kernel holds here, without what it counts or times, and what it does by itself a moment later
    (carrier, link-local addresses)."""
    lines = []
    for where in ("", *sorted(os.listdir("/run/netns"))):
        on = ["-n", where] if where else []
        lines += [f"== {where or 'host'}", *_listed(on)]
        lines += sorted(line for line in _told(["bridge", *on, "fdb", "show"])
                        if "permanent" in line and not line.startswith(_GROUPS))
    rules = "\n".join(_told(["nft", "-s", "list", "ruleset"]))
    lines.append(re.sub(r"counter packets \d+ bytes \d+", "counter", rules))
    return "\n".join([*lines, _reads(Path("/proc/sys/net/ipv4/ip_forward")), *_processes()])


def _listed(on: list[str]) -> list[str]:
    """Links in their order, then addresses, routes, rules and permanent neighbours, by one start of `ip`.

    It goes on after what this kernel cannot list.
    """
    links, others = [], []
    for line in _told(["ip", *on, "-d", "-o", "-force", "-batch", "-"], _LISTED):
        line, plain = re.sub(r"^\d+: ", "", line), line
        if re.match(r"\d+: \S+: <", plain):
            links += [re.sub(_TRANSIENT, "", line.partition(" promiscuity ")[0]), *re.findall(_KINDS, line)]
        elif not re.search(r"fe80|ff00::", line):
            others.append(re.sub(r" linkdown| tentative", "", line))
    return links + sorted(others)


def _told(argv: list[str], said: bytes = b"") -> list[str]:
    """The lines that a program prints; none where it is not installed."""
    try:
        done = subprocess.run(argv, input=said, capture_output=True, timeout=120, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.decode(errors="replace").splitlines()


def _processes() -> list[str]:
    """The names of those that stay, and how many have each."""
    names = Counter(_reads(path) for path in Path("/proc").glob("[0-9]*/comm"))
    return sorted(f"{count} {name}" for name, count in names.items() if name and not re.fullmatch(_PASSING, name))


def _reads(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # it has just ended
        return ""
