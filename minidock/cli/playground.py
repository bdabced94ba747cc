"""`minidock playground`: a disposable host to try everything in."""

from __future__ import annotations

import sys

import click

from minidock.errors import BadRequest

_FREE = {"allow_interspersed_args": False}


class _RunByDefault(click.Group):
    """A group whose first word may also be the command to run: what names no sub-command goes to `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault, subcommand_metavar="[--name NAME] [--lan] [--] [COMMAND...] | ls | enter | rm")
def playground() -> None:
    """Run a command, or a shell, on a disposable host.

    It has its own network, processes, mounts and hostname, and an internet of its own: up0 198.51.100.2, a
    web server at http://web.example, a name server at 198.51.100.1. You are root there; nothing you do to its
    network touches this machine's. It is gone with the command, unless it has a name.

    \b
      minidock playground                          a shell
      minidock playground -- ip address            one command
      minidock playground --name lab               a shell in a playground that stays
      minidock playground --lan                    beside an office LAN: lan0 10.77.0.2, a router, two peers
      minidock playground enter lab                another one there
      minidock playground rm lab
    """


@playground.command(context_settings=_FREE, short_help="Make one and run COMMAND in it.")
@click.option("--name", default="", help="Keep the playground under this name until it is removed.")
@click.option("--lan", is_flag=True, help="Give it a LAN: lan0 10.77.0.2, router, DHCP server, peer1, peer2.")
@click.option("--renew", type=click.IntRange(1, 604800), metavar="SECONDS",
              help="With --lan: after how long its DHCP clients must renew their leases (default: 1800).")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run(name: str, lan: bool, renew: int | None, command: tuple[str, ...]) -> None:
    """Make a playground and run COMMAND in it (none: a shell); the word `run` may be left out.

    \b
    Examples:
      minidock playground run -- ip address
      minidock playground run --lan -- curl http://10.77.0.11
    """
    from minidock.playground import registry, visit

    if renew and not lan:
        raise BadRequest("--renew is for the LAN's DHCP server, and this playground has none",
                         f"minidock playground --lan --renew {renew}")
    sys.exit(visit.begin(registry.checked(name) if name else "", command, (renew or 1800) if lan else None))


@playground.command(context_settings=_FREE)
@click.argument("name")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def enter(name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND (none: a shell) in the playground NAME.

    \b
    Examples:
      minidock playground enter lab
      minidock playground enter lab ip address
    """
    from minidock.playground import visit

    sys.exit(visit.enter(name, command[1:] if command[:1] == ("--",) else command))


@playground.command(name="ls", short_help="List the playgrounds that have names.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="table or json.")
def list_(form: str) -> None:
    """List the playgrounds that have names: PID 1, how many processes live there, their private memory.

    \b
    Examples:
      minidock playground ls
    """
    from minidock.playground import registry, visit

    rooms = [(room.name, room.pid, len(visit.inhabitants(room)), visit.private_kb(room))
             for room in registry.alive()]
    if form == "json":
        import json

        keys = ("name", "pid", "processes", "private_kb")
        click.echo(json.dumps([dict(zip(keys, room, strict=True)) for room in rooms], indent=2))
    else:
        _table(rooms)


def _table(rooms: list[tuple[str, int, int, int]]) -> None:
    width = max([len("NAME"), *(len(room[0]) for room in rooms)])
    click.echo(f"{'NAME':{width}}   {'PID':>7}   PROCESSES   PRIVATE MEMORY")
    for name, pid, processes, private_kb in rooms:
        click.echo(f"{name:{width}}   {pid:>7}   {processes:>9}   {private_kb:>11} kB")


@playground.command(name="rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Remove playgrounds, with everything that runs there.

    \b
    Examples:
      minidock playground rm lab
    """
    from minidock.playground import registry

    for name in names:
        registry.remove(name)
        click.echo(name)
