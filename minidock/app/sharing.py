"""--network container:NAME: a container without a sandbox of its own, in another one's.

It has no endpoints, is in no network's inspection and publishes nothing; hosts, resolv.conf and host name are the
other's (docker-behaviour.md §2.4, §8).
"""

from __future__ import annotations

from minidock.app.context import App
from minidock.errors import BadRequest, Conflict, NotFound
from minidock.model.container import Container

_SHARED = "they are those of the container whose network it shares: leave out {}"


def placed(app: App, wanted: Container, reference: str) -> Container:
    """The container with its donor looked up."""
    if not reference:
        raise BadRequest("invalid network mode: invalid container format container:<name|id>",
                         "name a container: --network container:web")
    _refuse(wanted)
    donor = app.state.containers.find(reference)
    return wanted.but(network_mode=f"container:{donor.id}", attachments=(), hostname=donor.hostname,
                      domainname=donor.domainname)


def _refuse(wanted: Container) -> None:
    first = wanted.attachments[0]
    for given, what, flag in (
        (wanted.hostname, "hostname and the network mode", "--hostname"),
        (wanted.domainname, "domainname and the network mode", "--domainname"),
        (first.links, "container type network can't be used with links. This would result in undefined behavior",
         "--link"),
        (wanted.dns, "dns and the network mode", "--dns"),
        (wanted.extra_hosts, "custom host-to-IP mapping and the network mode", "--add-host"),
        (wanted.ports or wanted.publish_all, "port publishing and the container type network mode", "-p and -P"),
        (wanted.expose, "port exposing and the container type network mode", "--expose"),
        (first.ip or first.ip6, "IP address and the container type network mode", "--ip"),
        (first.aliases, "network aliases and the container type network mode", "--network-alias"),
        (any(key.startswith("net.") for key, _ in wanted.sysctls), "sysctls and the container type network mode",
         "--sysctl net.…"),
    ):
        if given:
            raise BadRequest(f"conflicting options: {what}", _SHARED.format(flag))


def donor_of(app: App, container: Container) -> Container:
    """The running container whose sandbox a container is in: that of the one it names, or of whom that one names."""
    seen = {container.id}
    while container.donor:
        found = app.state.containers.get(container.donor)
        if found is None:
            raise NotFound(f"No such container: {container.donor[:12]}",
                           f"it was removed; make this one anew: minidock rm {container.name}")
        if found.id in seen:
            raise Conflict("cannot join own network namespace", "name another container")
        if (run := app.state.runs.of(found.id)) is None or run.state != "running":
            raise Conflict("cannot join network namespace of a non running container: container"
                           f" {found.name} is not running", f"start it first: minidock start {found.name}")
        seen.add(found.id)
        container = found
    return container
