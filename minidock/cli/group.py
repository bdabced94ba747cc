"""All commands, as click knows them; imported when they are typed."""

from __future__ import annotations

import importlib

import click

from minidock import __version__
from minidock.cli.usage import Commands, told

# command -> (module, one line of help)
COMMANDS = {
    "run": ("run", "Start a container: a command with a network stack of its own"),
    "create": ("run", "Configure a container, start it later"),
    "start": ("containers", "Start stopped containers"),
    "stop": ("containers", "Stop running containers"),
    "restart": ("containers", "Stop containers and start them again"),
    "exec": ("execute", "Run another command inside a running container"),
    "ps": ("listing", "List containers"),
    "port": ("port", "List a container's published ports; publish more or fewer"),
    "logs": ("listing", "Show a container's output"),
    "events": ("events", "Show what happens to networks and containers, as it happens"),
    "inspect": ("listing", "Show containers or networks as JSON, as docker inspect does"),
    "explain": ("listing", "Narrate what exists: every kernel object of a network or container, and why"),
    "wait": ("containers", "Wait until containers end, print their exit codes"),
    "kill": ("containers", "Send a signal to running containers"),
    "rm": ("containers", "Remove containers"),
    "rename": ("containers", "Give a container another name"),
    "net": ("net", "Manage networks (also: network)"),
    "dns": ("dns", "Ask a container's name server, and follow its decisions"),
    "playground": ("playground", "A disposable host to try everything in, also without root"),
    "lab": ("lab", "Graded exercises: a prediction, a task, and a check that packets prove"),
    "system": ("system", "Look after minidock itself: info, repair, prune, reset"),
}
ALIASES = {"network": "net"}


class Lazy(Commands):
    """A group that imports a command when it is typed, and knows the help lines of all without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"minidock.cli.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name if name != "exec" else "exec_")
        return command

    def known(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *ALIASES]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="minidock")
def cli() -> None:
    """Docker's networking without the daemon.

    \b
    Try it without touching this machine:
      minidock playground
    and in there, or with sudo:
      minidock net create br0 --subnet 172.28.0.0/16
      minidock run --rm --net br0 ping -c1 172.28.0.1
    """


def invoke() -> int:
    """Read the command line with click and do what it says; a wrong one is told as all our errors are."""
    try:
        result = cli.main(standalone_mode=False, prog_name="minidock")
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command shows its help
            error.show()
            return error.exit_code
        raise told(error) from error
    return result if isinstance(result, int) else 0
