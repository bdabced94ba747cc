"""Our rules and sysctls beside those recorded from a real Docker Engine 29.7.2 (tests/golden/docker29).

The recordings hold the commands too: we run the same ones. Renamed are only the chains (DOCKER to MINIDOCK) and the
default bridge's device (docker0 to minidock0); our ownership comments are left out. Docker's engine makes its default
network at its start, we at its first use: so each scenario runs in both orders.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.ground import Host

RECORDINGS = sorted(Path(__file__).parent.parent.joinpath("golden/docker29").glob("*.txt"))
NO_RELAY = "com.docker.network.bridge.ipv6_relay=false"
PLACES = "ip -br addr; ip route; ip -6 route"
NOT_COVERED: dict[str, str] = {}  # scenario: the reason; all of them are compared


class Recording:
    """One scenario of a real Docker: its commands and what was found after them."""

    def __init__(self, path: Path) -> None:
        text = path.read_text()
        head, *rest = re.split(r"^##### (.*)\n", text, flags=re.MULTILINE)
        self.commands = [line[2:] for line in head.splitlines() if line.startswith("$ ")]
        self.parts = dict(zip(rest[::2], rest[1::2], strict=True))

    @property
    def uses_default(self) -> bool:
        """Is there nothing else in it, or does a container of it stand on the default network?"""
        return not self.commands or any("docker run" in line and "--network" not in line for line in self.commands)

    def lines(self, part: str, with_default: bool) -> list[str]:
        """A part in our words; without the default network's rules where we have not made it yet."""
        text = self.parts[part].replace("DOCKER", "MINIDOCK").replace("docker0", "minidock0")
        subnet_of_default = "-s 172.17.0.0/16 "
        return [line for line in text.splitlines() if line
                and (with_default or ("minidock0" not in line and subnet_of_default not in line))]


def _ours(command: str) -> list[str]:
    """A docker command in minidock's words: no image; and no relay, as the engine had no proxy."""
    words = [word for word in shlex.split(command)[1:] if word != "busybox"]
    return [*words, "-o", NO_RELAY] if words[:2] == ["network", "create"] else words


def _saved(host: Host, program: str) -> list[str]:
    """What iptables-save prints, without counters, remarks and our ownership comments."""
    text = host.shell(f"{program}-save")
    text = re.sub(r' -m comment --comment "?minidock:[^"]*"', "", text)
    text = re.sub(r"\[\d+:\d+\]", "[0:0]", text)
    return [line for line in text.splitlines() if not line.startswith("#")]


def _by_table(lines: list[str]) -> dict[str, list[str]]:
    """The lines of each table. Base chains without rules that accept everything decide nothing: left out.

    iptables itself makes them when it looks, Docker's calls of it did; a table of them only is no table.
    """
    tables: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("*"):
            table = tables.setdefault(line, [])
        elif line != "COMMIT":
            table.append(line)
    told = {name: [line for line in table if not _idle(line, table)] for name, table in tables.items()}
    return {name: table for name, table in told.items() if table}


def _idle(line: str, table: list[str]) -> bool:
    chain, _, policy = line[1:].partition(" ")
    return line.startswith(":") and policy == "ACCEPT [0:0]" and not any(
        other.startswith(f"-A {chain} ") for other in table)


@pytest.mark.parametrize("default_first", [False, True], ids=["alone", "after-the-default-network"])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_rules_are_those_of_docker_29(path: Path, default_first: bool, host: Host, outside: str) -> None:
    """iptables-save, ip6tables-save, sysctls, addresses and routes of the bridges: equal."""
    recording = Recording(path)
    with_default = default_first or recording.uses_default
    if default_first or not recording.commands:
        host.minidock("run", "--rm", "true")
    for command in recording.commands:
        host.minidock(*_ours(command))
    for part in ("iptables-save", "ip6tables-save"):
        wanted = _by_table(recording.lines(part, with_default))
        assert wanted, part
        assert _by_table(_saved(host, part.removesuffix("-save"))) == wanted
    settings = recording.lines("sysctl", with_default)
    assert len(settings) >= 5
    keys = " ".join(line.partition(" = ")[0] for line in settings)
    assert host.shell(f"sysctl {keys}").splitlines() == settings
    assert _places(host.shell(PLACES).splitlines()) == \
        _places(recording.lines(PLACES, with_default))


def _places(lines: list[str]) -> list[str]:
    """Addresses and routes of the bridges; their carrier, and the bridge's link-local address, come later."""
    ours = [line for line in lines if re.search("br-u|minidock0", line) and not line.startswith("fe80::/64")]
    found = [re.sub(r"( (UP|DOWN) | linkdown|fe80::\S+)", " ", line) for line in ours]
    return sorted(" ".join(line.split()) for line in found)


def test_every_recording_is_there_and_can_be_told_apart() -> None:
    """A comparison that finds all scenarios alike would prove nothing."""
    every = {f"{number:02}" for number in (*range(22), 98)}
    assert {path.stem[:2] for path in RECORDINGS} == every - NOT_COVERED.keys()
    recordings = [Recording(path) for path in RECORDINGS]
    told = {str(([_by_table(one.lines(part, True)) for part in ("iptables-save", "ip6tables-save")],
                 _places(one.lines(PLACES, True)))) for one in recordings}
    assert len(told) == len(RECORDINGS)
