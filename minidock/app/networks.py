"""Use cases of networks: create, remove, make sure they are in the kernel."""

from __future__ import annotations

from collections.abc import Callable

from minidock import ipam
from minidock.app import events, identity, options, parents, pools
from minidock.app.context import App, now
from minidock.app.pools import Wishes
from minidock.drivers import DRIVERS, bridge
from minidock.errors import BadRequest, Conflict, MinidockError, NotFound
from minidock.model.network import OPTION_PREFIX, PREDEFINED, RESERVED_NAMES, Network, Pool
from minidock.model.record import Record


class Request(Record):
    """What the user asked of `net create`."""

    name: str
    driver: str = "bridge"
    addresses: Wishes = Wishes()
    options: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    ipv4: bool | None = None  # None: not said
    ipv6: bool | None = None
    attachable: bool = False


def create(app: App, request: Request) -> Network:
    """Make a network: its pool, then its kernel objects, then it is ready."""
    _check_name(request)
    with app.state.host_lock():
        network = _designed(app, request)
        if app.dry:
            _build(app, network)
            return network
        with app.state.network_lock(network):
            with app.state.adding():
                app.state.networks.add(network, "creating")
            try:
                _build(app, network)
                app.state.networks.set_state(network, "ready")
            except BaseException:
                app.engine.raze(network.scope)  # built already, if it was cut just before it was ready
                app.state.networks.remove(network)
                app.state.unlock_files("network", network.short)
                parents.sweep(app)
                raise
            events.network(app, "create", network)
    return network


def _check_name(request: Request) -> None:
    if request.name in RESERVED_NAMES:
        raise BadRequest(f"operation is not permitted on predefined {request.name} network",
                         "choose another name: minidock net create mynet")
    if not request.name.strip():
        raise BadRequest("invalid name: name is empty", "give the network a name: minidock net create mynet")
    if not request.name.isprintable():  # no rule of Docker's; but it would garble every table and log
        raise BadRequest(f"invalid name: {request.name!r} holds a character that cannot be printed",
                         "use letters and digits")


def _designed(app: App, request: Request) -> Network:
    """The network with every choice made; nothing is written yet."""
    options.check_driver(request.driver)
    given = dict(request.options)
    ipv4 = options.family(given, "enable_ipv4", request.ipv4, True)
    ipv6 = options.family(given, "enable_ipv6", request.ipv6, False)
    options.check_options(request.driver, request.options, request.internal)
    if request.addresses.ipam == "dhcp":
        options.check_leases(request.driver, given, request.addresses, ipv4, ipv6)
    asked = pools.requested(request.addresses)
    if not (ipv4 or ipv6):
        raise BadRequest("IPv4 or IPv6 must be enabled", "leave out --ipv4=false, or give --ipv6")
    if any(net.name == request.name for net in app.state.networks.all()):
        other = app.state.networks.find(request.name)
        raise Conflict(f"network with name {request.name} already exists: {other.short}",
                       f"use it, or remove it first: minidock net rm {request.name}")
    network = Network(identity.new_id(f"network/{request.name}"), request.name, request.driver, now(), (),
                      request.options, request.labels, request.internal, identity.mac(f"network/{request.name}"),
                      ipv4=ipv4, ipv6=ipv6, attachable=request.attachable,
                      ipam=request.addresses.ipam)
    network = _adopting(app, network) if request.driver == "bridge" else parents.settled(app, network)
    return network if network.leases else with_gateways(network, pools.chosen(app, network, asked))


def with_gateways(network: Network, chosen: tuple[Pool, ...]) -> Network:
    """The network with its pools, each with the gateway it needs."""
    return network.but(pools=tuple(
        ipam.with_gateway(pool, DRIVERS[network.driver].has_gateway(network, pool.subnet.version)) for pool in chosen))


def _adopting(app: App, network: Network) -> Network:
    """Use a bridge that is there already under the asked name; refuse what two networks would share."""
    for other in app.state.networks.all():
        if other.driver == "bridge" and other.device == network.device:
            raise Conflict(f"cannot create network {network.id} ({network.device}): conflicts with network {other.id}"
                           f" ({other.device}): networks have same bridge name: {other.name} uses it",
                           f"choose another -o {OPTION_PREFIX}bridge.name")
    link = next((link for link in app.kernel.links() if link.name == network.device), None)
    if link is None or link.ours:
        return network
    if link.kind != "bridge":
        raise Conflict(f"existing interface {network.device} is not a bridge",
                       f"choose another -o {OPTION_PREFIX}bridge.name; see it with: ip -d link show {network.device}")
    return network.but(adopted=True)


def _build(app: App, network: Network) -> None:
    """Bring a network into the kernel, the host scope before it; the caller holds the host's lock."""
    facts = app.network_facts(network)
    if network.driver == "bridge" and not app.state.journal.is_built("host"):
        app.engine.build("host", bridge.host(facts))
    if network.driver == "bridge" and network.ipv6 and not app.state.journal.is_built("host/ipv6"):
        app.engine.build("host/ipv6", bridge.host_ipv6(facts))
    parents.build(app, network)
    app.engine.build(network.scope, DRIVERS[network.driver].network(network, facts))


def ensure(app: App, network: Network) -> None:
    """The network is in the kernel: after a reboot its first use builds it again."""
    if app.state.journal.is_built(network.scope):
        return
    with app.state.host_lock():
        if app.dry:
            _build(app, network)
            return
        with app.state.network_lock(network):
            if app.state.journal.is_built(network.scope):
                return
            if app.state.networks.get(network.id) is None:
                raise NotFound(f"network {network.name} not found", "see which there are: minidock net ls")
            _build(app, network)


def remove(app: App, reference: str) -> Network:
    """Remove a network nobody is attached to."""
    network = app.state.networks.find(reference)
    if network.name in PREDEFINED:
        raise BadRequest(f"{network.name} is a pre-defined network and cannot be removed",
                         "it costs nothing; networks of yours: minidock net ls")
    with app.state.network_lock(network):
        _refuse_active(app, network)
        if app.dry:
            app.engine.raze(network.scope)
        else:
            app.state.networks.set_state(network, "removing")
            finish_removal(app, network)
    parents.leave(app, network)
    return network


def finish_removal(app: App, network: Network, known: bool = True) -> None:
    """The rest of a begun removal: kernel objects, then the row; not `known`: it never was ready."""
    app.engine.raze(network.scope)
    app.state.networks.remove(network)
    app.state.unlock_files("network", network.short)
    if known and network.name not in PREDEFINED:  # nobody was told of the beginning of those
        events.network(app, "destroy", network)


def _refuse_active(app: App, network: Network) -> None:
    if app.state.networks.get(network.id) is None:
        raise NotFound(f"network {network.name} not found", "see which there are: minidock net ls")
    endpoints = app.state.runs.endpoints(network_id=network.id)
    if not endpoints:
        return
    holders = []
    for end in endpoints:
        container = app.state.containers.get(end.container)
        holders.append((container.name if container else end.container[:12], end.id[:12]))
    text = ", ".join(f'name:"{name}" id:"{short}"' for name, short in holders)
    raise Conflict(f"error while removing network: network {network.name} has active endpoints ({text})",
                   f"stop them first: minidock rm -f {' '.join(name for name, _ in holders[:5])}")


def ensure_predefined(app: App) -> None:
    """The rows of bridge, host and none: made once, at the first use of this ROOT."""
    with app.state.host_lock():
        present = {network.name for network in app.state.networks.all()}
        missing = [name for name in PREDEFINED if name not in present]
        if missing:
            networks = [_predefined(app, name) for name in missing]
            with app.state.adding():
                for network in networks:
                    app.state.networks.add(network, "ready")


def _predefined(app: App, name: str) -> Network:
    network = Network(identity.new_id(f"network/{name}"), name, PREDEFINED[name], now())
    if name != "bridge":
        return network
    try:
        pool = ipam.with_gateway(Pool(ipam.choose_subnet(pools.taken(app), pools.avoided(app))))
    except MinidockError as error:
        raise MinidockError(f"the default network bridge: {error.what}", error.hint) from error
    values = {"bridge.default_bridge": "true", "bridge.enable_icc": "true", "bridge.enable_ip_masquerade": "true",
              "bridge.host_binding_ipv4": "0.0.0.0", "bridge.name": "minidock0", "driver.mtu": "1500"}
    given = tuple((OPTION_PREFIX + key, value) for key, value in values.items())
    return network.but(pools=(pool,), options=given, mac=identity.mac("network/bridge"))


def lacks_predefined(app: App) -> bool:
    """Is any of bridge, host and none without its row?"""
    return app.state.networks.count(tuple(PREDEFINED)) < len(PREDEFINED)


def prune(app: App, chosen: Callable[[Network], bool] = lambda network: True) -> list[Network]:
    """Remove all (or the chosen) networks of the user's nobody is attached to; those that are gone."""
    with app.state.pruning() as alone:
        if not alone:
            raise Conflict("a prune operation is already running", "wait until it is done, then see: minidock net ls")
        removed = [network for network in app.state.networks.all() if chosen(network) and _pruned(app, network)]
        events.pruned(app, "network")
    return removed


def _pruned(app: App, network: Network) -> bool:
    """Remove it, unless it is needed, or somebody attached or removed it meanwhile."""
    if network.name in PREDEFINED or app.state.runs.endpoints(network_id=network.id):
        return False
    try:
        remove(app, network.id)
    except (Conflict, NotFound):
        return False
    return True
