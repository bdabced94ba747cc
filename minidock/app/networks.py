"""Use cases of networks: create, remove, make sure they are in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

from minidock import ipam
from minidock.app import events, identity, options
from minidock.app.context import App, now
from minidock.dns.files import servers
from minidock.drivers import DRIVERS, bridge
from minidock.errors import BadRequest, Conflict, MinidockError, NotFound
from minidock.kernel import reading
from minidock.model.network import OPTION_PREFIX, PREDEFINED, RESERVED_NAMES, Network, Pool
from minidock.model.record import Record


class Request(Record):
    """What the user asked of `net create`."""

    name: str
    driver: str = "bridge"
    subnets: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    aux: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    internal: bool = False


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
    options.check_options(request.driver, request.options, request.internal)
    pool = _requested_pool(request)
    taken = [(net.pools[0].subnet, net.name) for net in app.state.networks.all() if net.pools]
    taken += [(net.pools[0].subnet, net.name) for net, _ in app.state.networks.in_state("removing") if net.pools]
    if any(net.name == request.name for net in app.state.networks.all()):
        other = app.state.networks.find(request.name)
        raise Conflict(f"network with name {request.name} already exists: {other.short}",
                       f"use it, or remove it first: minidock net rm {request.name}")
    if pool is None:
        pool = Pool(ipam.choose_subnet(taken, avoided(app)))
    elif pool.subnet.network_address == IPv4Network("0.0.0.0/0").network_address:
        pool = pool.but(subnet=ipam.choose_subnet(taken, avoided(app), pool.subnet.prefixlen))
    ipam.check_overlap(pool.subnet, taken)
    ipam.check_pool(pool)
    network_id = identity.new_id(f"network/{request.name}")
    network = Network(network_id, request.name, request.driver, now(), (pool,), request.options, request.labels,
                      request.internal, identity.mac(f"network/{request.name}"))
    pool = ipam.with_gateway(pool, needed=bridge.has_gateway(network))
    return _adopting(app, network.but(pools=(pool,)))


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


def _requested_pool(request: Request) -> Pool | None:
    if len(request.subnets) > 1:
        _check_disjoint(request.subnets)
        raise BadRequest("bridge driver doesn't support multiple subnets", "give one --subnet")
    if len(request.ip_ranges) > len(request.subnets) or len(request.gateways) > len(request.subnets):
        _refuse_extra(request)
    if not request.subnets:
        if request.aux:
            raise BadRequest(f"no matching subnet for aux-address {request.aux[0][1]}", "give its --subnet too")
        return None
    pool = Pool(ipam.parse_subnet(request.subnets[0]),
                ipam.parse_range(request.ip_ranges[0]) if request.ip_ranges else None,
                ipam.parse_address(request.gateways[0], "gateway") if request.gateways else None,
                tuple((name, ipam.parse_address(text, "auxiliary address")) for name, text in request.aux))
    ipam.check_inside(pool)
    return pool


def _check_disjoint(subnets: Sequence[str]) -> None:
    parsed = [ipam.parse_subnet(text) for text in subnets]
    if any(one.overlaps(other) for i, one in enumerate(parsed) for other in parsed[:i]):
        raise BadRequest("multiple overlapping subnet configuration is not supported", "give one --subnet")


def _refuse_extra(request: Request) -> None:
    for label, values in (("ranges {} on", request.ip_ranges), ("gateways {} for", request.gateways)):
        if request.subnets and len(values) > 1:
            raise BadRequest(f"cannot configure multiple {label.format(f'({values[0]}, {values[1]})')} the same subnet"
                             f" ({request.subnets[0]})", "give one of each")
    raise BadRequest("every ip-range or gateway must have a corresponding subnet", "give --subnet too")


def avoided(app: App) -> list[IPv4Network]:
    """What automatic choice keeps away from: the host's on-link routes and resolvers."""
    try:
        with open("/etc/resolv.conf") as file:
            resolvers = [text for text in servers(file.read()) if ":" not in text]
    except OSError:
        resolvers = []
    return [*reading.on_link_routes(app.kernel), *(IPv4Network(text) for text in resolvers)]


def _build(app: App, network: Network) -> None:
    """Bring a network into the kernel, the host scope before it; the caller holds the host's lock."""
    facts = app.network_facts(network)
    if network.driver == "bridge" and not app.state.journal.is_built("host"):
        app.engine.build("host", bridge.host(facts))
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
            return network
        app.state.networks.set_state(network, "removing")
        finish_removal(app, network)
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
    taken = [(net.pools[0].subnet, net.name) for net in app.state.networks.all() if net.pools]
    try:
        pool = ipam.with_gateway(Pool(ipam.choose_subnet(taken, avoided(app))))
    except MinidockError as error:
        raise MinidockError(f"the default network bridge: {error.what}", error.hint) from error
    values = {"bridge.default_bridge": "true", "bridge.enable_icc": "true", "bridge.enable_ip_masquerade": "true",
              "bridge.host_binding_ipv4": "0.0.0.0", "bridge.name": "minidock0", "driver.mtu": "1500"}
    given = tuple((OPTION_PREFIX + key, value) for key, value in values.items())
    return network.but(pools=(pool,), options=given, mac=identity.mac("network/bridge"))


def lacks_predefined(app: App) -> bool:
    """Is any of bridge, host and none without its row?"""
    return app.state.networks.count(tuple(PREDEFINED)) < len(PREDEFINED)


def prune(app: App, chosen: Callable[[Network], bool] = lambda network: True) -> list[str]:
    """Remove all (or the chosen) networks of the user's nobody is attached to; their names."""
    with app.state.pruning() as alone:
        if not alone:
            raise Conflict("a prune operation is already running", "wait until it is done, then see: minidock net ls")
        removed = [network.name for network in app.state.networks.all() if chosen(network) and _pruned(app, network)]
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
