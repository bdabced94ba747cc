"""`minidock system`: info, repair, prune, reset; and what monitors (reap) and the helper process (renew) call."""

from __future__ import annotations

import json
import sys

import click

from minidock.cli.common import as_json, confirmed, format_option, opened, tell, telling
from minidock.cli.usage import Commands


@click.group(cls=Commands)
def system() -> None:
    """Look after minidock itself.

    \b
    Examples:
      minidock system info
      minidock system repair
    """


@system.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="text or json.")
def info(format_: str) -> None:
    """What minidock holds, and what this kernel can do.

    \b
    Examples:
      minidock system info
      minidock system info --format json
    """
    from minidock.app import info as use_case

    with opened() as app:
        found = use_case.gather(app)
    if format_ == "json":
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        width = max(len(key) for key in found)
        click.echo("\n".join(f"{key + ':':<{width + 2}}{value}" for key, value in found.items()))


@system.command()
@format_option()
@click.option("--orphans", is_flag=True, help="Also remove what carries minidock's mark but is in no record.")
@telling
def repair(format_: str, orphans: bool, explain: bool, dry_run: bool, script: str | None) -> None:
    """Bring kernel and state together: clean up after killed commands, make lost objects and rules again.

    \b
    Examples:
      minidock system repair
      minidock system repair --dry-run
    """
    from minidock.app import orphans as lost
    from minidock.app import repair as use_case

    with opened(dry_run, tidy=False) as app:
        repaired = use_case.repair(app)
        found = lost.find(app)
        if orphans and found and not dry_run:
            repaired += [use_case.Repaired(*line.split(": ", 1)) for line in lost.remove(app, found)]
        elif found:
            print(f"minidock: {len(found.links)} devices, {len(found.sandboxes)} sandboxes and {len(found.rules)} rules"
                  " carry minidock's mark but are in no record here\nhint: if no other MINIDOCK_RUN uses this network"
                  " namespace: minidock system repair --orphans", file=sys.stderr)
        tell(app, "system repair", explain, script)
    if dry_run:
        return
    if format_ == "json":
        text = as_json({"What": item.what, "Done": item.done} for item in repaired)
        if text:
            click.echo(text)
    else:
        click.echo("\n".join(f"{item.what}: {item.done}" for item in repaired) or "nothing to repair")


@system.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@telling
def prune(force: bool, explain: bool, dry_run: bool, script: str | None) -> None:
    """Remove all stopped containers and all networks nobody is attached to.

    \b
    Examples:
      minidock system prune -f
    """
    from minidock.app import sweeping

    if not (force or dry_run):
        confirmed("system prune", "This will remove all stopped containers and all networks not used by a container.")
    with opened(dry_run) as app:
        for line in sweeping.prune(app):
            click.echo(line)
        tell(app, "system prune", explain, script)


@system.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@telling
def reset(force: bool, explain: bool, dry_run: bool, script: str | None) -> None:
    """Remove everything of minidock's: containers, networks, rules, state; put forwarding back as it was.

    \b
    Examples:
      minidock system reset
      minidock system reset -f --dry-run
    """
    from minidock.app import sweeping

    if not (force or dry_run):
        confirmed("system reset", "This will kill all containers and remove everything of minidock's.")
    with opened(dry_run) as app:
        sweeping.reset(app)
        tell(app, "system reset", explain, script)


@system.command(hidden=True)
@click.argument("container_id")
@click.argument("network_id")
def renew(container_id: str, network_id: str) -> None:
    """Ask a DHCP server for more time: what the helper process executes when that is due."""
    from minidock.app import dhcp

    with opened(lingering=True, tidy=False) as app:
        dhcp.renew(app, container_id, network_id)


@system.command(hidden=True)
@click.argument("container_id")
@click.argument("code", type=int)
def reap(container_id: str, code: int) -> None:
    """Clean up after a container: what its monitor executes at its end."""
    from minidock.app import ending

    with opened(lingering=True, tidy=False) as app:
        ending.reap(app, container_id, code)
