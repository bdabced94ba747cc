"""`minidock net`: networks, in the words of `docker network`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from minidock.app import networks
from minidock.app.context import App
from minidock.app.pools import Wishes
from minidock.cli import completing
from minidock.cli.common import (
    check_format_or_raw,
    confirmed,
    each,
    filter_option,
    format_option,
    gather,
    inspected,
    opened,
    pairs,
    tell,
    telling,
)
from minidock.cli.switches import Switches, switch
from minidock.cli.usage import Commands
from minidock.errors import BadRequest
from minidock.model.network import Attachment, Network


@click.group(cls=Commands)
def net() -> None:
    """Manage networks.

    \b
    Examples:
      minidock net create br0 --subnet 172.28.0.0/16
      minidock net ls
      minidock net inspect br0
      minidock net rm br0
    """


@net.command(cls=Switches)
@click.argument("name", metavar="NETWORK")
@click.option("-d", "--driver", default="bridge", show_default=True, help="The network's driver.")
@click.option("--subnet", "subnets", multiple=True, metavar="CIDR", help="Its addresses, as 172.28.0.0/16.")
@click.option("--gateway", "gateways", multiple=True, metavar="IP", help="The host's address in it (default: first).")
@click.option("--ip-range", "ip_ranges", multiple=True, metavar="CIDR", help="Where automatic addresses come from.")
@click.option("--aux-address", "aux", multiple=True, metavar="NAME=IP", help="Addresses that no container gets.")
@click.option("--internal", is_flag=True, help="No way out and no way in.")
@click.option("--ipv4", callback=switch, metavar="[=BOOL]",
              help="Has it IPv4 (default true)?  --ipv4=false for IPv6 only.")
@click.option("--ipv6", callback=switch, metavar="[=BOOL]", help="Has it IPv6 (default false)?")
@click.option("--attachable", is_flag=True, help="Kept and shown; every container may attach anyway.")
@click.option("--ipam-driver", "ipam", type=click.Choice(["default", "dhcp"]), default="default",
              help="dhcp: addresses are lent by a DHCP server on macvlan's parent.")
@click.option("--scope", type=click.Choice(["local"]), default="local", help="Networks are this host's.",
              expose_value=False)
@click.option("-o", "--opt", "options", multiple=True, metavar="KEY=VALUE", help="Driver options.")
@click.option("--label", "labels", multiple=True, metavar="KEY[=VALUE]", help="Labels.")
@telling
def create(name: str, driver: str, subnets: tuple[str, ...], ip_ranges: tuple[str, ...], gateways: tuple[str, ...],
           aux: tuple[str, ...], internal: bool, ipv4: bool | None, ipv6: bool | None, attachable: bool, ipam: str,
           options: tuple[str, ...], labels: tuple[str, ...], explain: bool, dry_run: bool, script: str | None) -> None:
    """Create a network; prints its id.

    \b
    Examples:
      minidock net create br0
      minidock net create br0 --subnet 172.28.0.0/16 --ip-range 172.28.5.0/24 --gateway 172.28.5.254
      minidock net create six --ipv6 --subnet 172.29.0.0/16 --subnet fd00:29::/64
      minidock net create quiet --internal --explain
      minidock net create -d macvlan --ipam-driver dhcp -o parent=eth0 wire
    """
    for word in (*options, *aux):
        if "=" not in word:
            raise BadRequest(f"invalid key/value pair: {word}", "write it as KEY=VALUE")
    reserved = tuple(dict(pairs(_split(aux))).items())
    addresses = Wishes(_split(subnets), _split(ip_ranges), _split(gateways), reserved, ipam)
    request = networks.Request(name, driver, addresses, pairs(options), pairs(labels), internal, ipv4, ipv6, attachable)
    from minidock.app import neighbours

    with opened(dry_run) as app:
        network = networks.create(app, request)
        if not dry_run:
            click.echo(network.id)
        for notice in neighbours.of_network(app, network):
            print(notice, file=sys.stderr)
        tell(app, f"net create {name} · driver {driver}", explain, script)


def _split(words: tuple[str, ...]) -> tuple[str, ...]:
    """Repeated options and comma lists are the same, as in Docker."""
    return tuple(part for word in words for part in word.split(","))


@net.command("ls")
@click.option("-q", "--quiet", is_flag=True, help="Ids only.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@filter_option(help="driver, id, name, label, scope, type (builtin, custom), dangling (true, false).")
@format_option(callback=check_format_or_raw)
def ls(quiet: bool, no_trunc: bool, filters: tuple[str, ...], format_: str) -> None:
    """List networks.

    \b
    Examples:
      minidock net ls
      minidock net ls -f driver=bridge --format json
      minidock net ls --format '{{.Name}} {{.ID}}'
    """
    from minidock.views import networks as view
    from minidock.views.listing import listing

    with opened() as app:
        found = sorted(_filtered(app, filters), key=view.natural)
    rows = [view.as_object(network, no_trunc) for network in found]
    forms = {"table": "{{.ID}}", "raw": view.RAW_QUIET} if quiet else {"raw": view.RAW}
    text = listing(forms.get(format_, format_), rows, view.HEADS, view.TABLE, "*network.networkContext")
    if text:
        click.echo(text)


def _filtered(app: App, texts: tuple[str, ...]) -> list[Network]:
    found = app.state.networks.all()
    if not texts:
        return found
    from minidock.views import filters

    wanted = filters.of_networks(texts)
    return [net for net in found
            if filters.network_passes(wanted, net, bool(app.state.runs.endpoints(network_id=net.id)))]


net.add_command(ls, "list")


@net.command()
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...", shell_complete=completing.networks)
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a template: '{{.Id}}'.")
@click.option("-v", "--verbose", is_flag=True, expose_value=False, help="Accepted; there is no more to show.")
def inspect(names: tuple[str, ...], form: str) -> int:
    """Show networks as JSON, with docker's keys.

    \b
    Examples:
      minidock net inspect br0
      minidock net inspect -f '{{json .IPAM.Config}}' br0
    """
    from minidock.app import looking

    with opened() as app:
        found, code = gather(names, lambda name: looking.network(app, app.state.networks.find(name)))
    click.echo(inspected(found, form))
    return code


@net.command()
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...", shell_complete=completing.removable)
@click.option("-f", "--force", is_flag=True, help="Do not complain about networks that do not exist.")
@telling
def rm(names: tuple[str, ...], force: bool, explain: bool, dry_run: bool, script: str | None) -> int:
    """Remove networks nobody is attached to.

    \b
    Examples:
      minidock net rm br0
      minidock net rm br0 --dry-run
    """
    from minidock.errors import NotFound

    with opened(dry_run) as app:
        def act(name: str) -> str | None:
            try:
                _warn_of_removal(app, networks.remove(app, name))
            except NotFound:
                if not force:
                    raise
                return None
            return None if dry_run else name

        code = each(names, act)
        tell(app, f"net rm {' '.join(names)}", explain, script)
    return code


net.add_command(rm, "remove")


def _warn_of_removal(app: App, network: Network) -> None:
    from minidock.app import neighbours

    for notice in neighbours.of_removal(app, network):
        print(notice, file=sys.stderr)


@net.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE",
              help="until=TIME (made before), label=KEY[=VALUE], label!=KEY[=VALUE].")
@telling
def prune(force: bool, filters: tuple[str, ...], explain: bool, dry_run: bool, script: str | None) -> None:
    """Remove all networks no running container is attached to.

    \b
    Examples:
      minidock net prune
      minidock net prune -f --filter until=24h --filter label!=keep
    """
    chosen = _chosen(filters)
    if not (force or dry_run):
        confirmed("network prune", "This will remove all custom networks not used by at least one container.")
    with opened(dry_run) as app:
        removed = networks.prune(app, chosen)
        if removed and not dry_run:
            click.echo("Deleted Networks:\n" + "\n".join(network.name for network in removed))
        for network in removed:
            _warn_of_removal(app, network)
        tell(app, "net prune", explain, script)


def _chosen(texts: tuple[str, ...]) -> Callable[[Network], bool]:
    """Which networks the filters of prune mean."""
    if not texts:
        return lambda network: True
    from datetime import datetime

    from minidock.views import filters

    now = datetime.now().astimezone()
    wanted = filters.of_prune(texts, now)
    return lambda network: filters.network_prunable(wanted, network, now)


@net.command()
@click.argument("network", metavar="NETWORK", shell_complete=completing.networks)
@click.argument("container", metavar="CONTAINER", shell_complete=completing.containers)
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="More names there.")
@click.option("--driver-opt", "options", multiple=True, metavar="KEY=VALUE", help="Options of the endpoint.")
@click.option("--gw-priority", default="0", metavar="NUMBER", help="The highest is the way out (default 0).")
@click.option("--ip", default="", metavar="IP", help="A fixed IPv4 address.")
@click.option("--ip6", default="", metavar="IP", help="A fixed IPv6 address.")
@click.option("--link", "links", multiple=True, metavar="CONTAINER[:ALIAS]", help="A name only this one knows.")
@click.option("--link-local-ip", "link_local", multiple=True, metavar="IP", help="One more address, link-local.")
@click.option("--mac-address", "mac", default="", metavar="MAC", help="A fixed MAC address.")
@telling
def connect(network: str, container: str, options: tuple[str, ...], gw_priority: str, explain: bool, dry_run: bool,
            script: str | None, **given: Any) -> None:
    """Attach a container to one more network, while it runs or before it starts.

    \b
    Examples:
      minidock net connect back web
      minidock net connect --ip 172.29.0.9 --alias api back web
      minidock net connect --gw-priority 1 outside web
    """
    from minidock.app import attaching, connecting

    wanted = Attachment("", network, options=attaching.driver_options(options),
                        gw_priority=attaching.priority(gw_priority),
                        **{**given, "aliases": _split(given["aliases"])})
    with opened(dry_run) as app:
        connecting.connect(app, wanted, container)
        tell(app, f"net connect {network} {container}", explain, script)


@net.command()
@click.argument("network", metavar="NETWORK", shell_complete=completing.networks)
@click.argument("container", metavar="CONTAINER", shell_complete=completing.containers)
@click.option("-f", "--force", is_flag=True, help="Do not complain about a container that does not exist.")
@telling
def disconnect(network: str, container: str, force: bool, explain: bool, dry_run: bool, script: str | None) -> None:
    """Take a container out of a network.

    \b
    Examples:
      minidock net disconnect back web
      minidock net disconnect back web --explain
    """
    from minidock.app import connecting
    from minidock.errors import NotFound

    with opened(dry_run) as app:
        try:
            connecting.disconnect(app, network, container, force)
        except NotFound:
            connecting.disconnect_missing(app, network, container)
        tell(app, f"net disconnect {network} {container}", explain, script)
