"""README's table of Docker's flags is complete, and the command line is what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from minidock.cli.group import cli

README = Path(__file__).parents[2] / "README.md"
# Every flag of docker 29.7's --help; of `run` and `create` those that are about networks and names.
RUN = ("--add-host --dns --dns-option --dns-search --domainname --expose -h --hostname --ip --ip6 --link"
       " --link-local-ip --mac-address --network --network-alias -p --publish -P --publish-all --sysctl --uts")
DOCKER = {command: set(flags.split()) for command, flags in {
    "network create": "--attachable --aux-address --config-from --config-only -d --driver --gateway --ingress"
                      " --internal --ip-range --ipam-driver --ipam-opt --ipv4 --ipv6 --label -o --opt --scope --subnet",
    "network connect": "--alias --driver-opt --gw-priority --ip --ip6 --link --link-local-ip",
    "network disconnect": "-f --force",
    "network inspect": "-f --format -v --verbose",
    "network ls": "-f --filter --format --no-trunc -q --quiet",
    "network prune": "-f --force --filter",
    "network rm": "-f --force",
    "run": RUN,
    "create": RUN,
}.items()}
HIDDEN = {"--net", "--net-alias", "--dns-opt"}  # Docker's older spellings, which its help does not show
OTHERS = set("--name -d --detach -e --env --env-file -w --workdir -u --user -v --volume --rootfs --cap-add --cap-drop"
             " --privileged -l --label --init -i --interactive -t --tty --rm".split())  # of `run`, not about networks


def rows() -> list[tuple[list[str], set[str], str]]:
    """(commands, flags, verdict) of each row."""
    section = README.read_text().partition("## Docker and minidock")[2].partition("\n## ")[0]
    lines = [re.split(r"(?<!\\) ?\| ?", line)[1:4] for line in section.splitlines() if line.startswith("| ")]
    return [(re.findall(r"`([a-z ]+)`", commands), set(re.findall(r"`(-[\w-]+)`", flags)), verdict)
            for commands, flags, verdict in lines[1:]]


def verdicts(command: str) -> dict[str, str]:
    """Each flag of a command, and what the table says of it: same, different, not there, ours."""
    found: dict[str, str] = {}
    for commands, flags, verdict in rows():
        for flag in flags if command in commands else ():
            assert flag not in found, f"{command} {flag} stands in two rows"
            found[flag] = re.match(r"same|different|not there|ours", verdict)[0]  # type: ignore[index]
    return found


def options(command: str) -> set[str]:
    """The flags that the real command has."""
    found: click.Command = cli
    for word in command.split():
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), word)
        assert below is not None
        found = below
    return {flag for parameter in found.params if isinstance(parameter, click.Option) for flag in parameter.opts}


@pytest.mark.parametrize("command", DOCKER)
def test_every_flag_of_docker_is_in_the_table(command: str) -> None:
    said = verdicts(command)
    assert {flag for flag, verdict in said.items() if verdict != "ours"} == DOCKER[command]


@pytest.mark.parametrize("command", DOCKER)
def test_the_command_line_is_what_the_table_says(command: str) -> None:
    """What is there is there; what is not is refused with its reason, not as a misspelling."""
    said, real = verdicts(command), options(command)
    assert {flag for flag, verdict in said.items() if verdict != "not there"} <= real
    for flag in (flag for flag, verdict in said.items() if verdict == "not there"):
        assert flag not in real
        done = subprocess.run([sys.executable, "-m", "minidock", *command.split(), "x", flag], capture_output=True,
                              text=True, check=False)
        first, hint = done.stderr.splitlines()
        assert first.startswith(f"minidock: {flag}: ") and hint.startswith("hint: "), done.stderr


@pytest.mark.parametrize("command", DOCKER)
def test_what_docker_has_not_is_called_ours(command: str) -> None:
    """Flags of `run` and `create` that are not about networks aside."""
    ours = {flag for _, flags, verdict in rows() if verdict.startswith("ours") for flag in flags}
    others = OTHERS if command in ("run", "create") else set()
    assert options(command) <= DOCKER[command] | HIDDEN | ours | others
