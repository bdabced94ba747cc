"""Networks and endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_interface

from minidock.model.lease import Lease
from minidock.model.ports import Address, PortBinding
from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import TypeAlias

Subnet: TypeAlias = IPv4Network | IPv6Network
Interface: TypeAlias = IPv4Interface | IPv6Interface

PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}  # name -> driver, as Docker's
RESERVED_NAMES = (*PREDEFINED, "default")
OPTION_PREFIX = "com.docker.network."
BOTH = (4, 6)


class Pool(Record):
    """A subnet of a network and who may have which of its addresses."""

    subnet: Subnet
    ip_range: Subnet | None = None  # where automatic addresses come from; None: the subnet
    gateway: Address | None = None
    aux: tuple[tuple[str, Address], ...] = ()  # reserved for others, by name


class Network(Record):
    """What `net create` makes: a broadcast domain with a driver, pools and options."""

    id: str  # 64 hex digits
    name: str
    driver: str
    created: str  # RFC 3339, nanoseconds
    pools: tuple[Pool, ...] = ()  # at most one for each family, but macvlan and ipvlan may have more
    options: tuple[tuple[str, str], ...] = ()  # as given, full keys
    labels: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    mac: str = ""  # of the bridge device
    adopted: bool = False  # the device was there before us
    ipv4: bool = True
    ipv6: bool = False
    attachable: bool = False  # means nothing here; kept and shown, as in Docker
    parent: str = ""  # the interface that macvlan and ipvlan stand on
    parent_kind: str = ""  # found, vlan (made by us for all who name it), dummy (made for this network)
    ipam: str = "default"  # dhcp: no pools of ours, its addresses are on loan from a DHCP server

    @property
    def short(self) -> str:
        """The first 12 digits of the id."""
        return self.id[:12]

    @property
    def scope(self) -> str:
        """The name of its kernel objects' scope."""
        return f"network/{self.short}"

    def option(self, key: str, default: str = "") -> str:
        """An option by its key without `com.docker.network.`."""
        return dict(self.options).get(OPTION_PREFIX + key, default)

    def plain_option(self, key: str, default: str = "") -> str:
        """An option without a prefix: parent, macvlan_mode."""
        return dict(self.options).get(key, default)

    @property
    def closed(self) -> bool:
        """Has it no way out: is it internal, or does its parent lead nowhere?"""
        return self.internal or self.parent_kind == "dummy"

    @property
    def onlink(self) -> bool:
        """Do its packets leave without a gateway's address? In ipvlan's l3 modes the parent's host routes."""
        return self.driver == "ipvlan" and self.plain_option("ipvlan_mode") in ("l3", "l3s") and not self.closed

    @property
    def leases(self) -> bool:
        """Are its addresses on loan from a DHCP server?"""
        return self.ipam == "dhcp"

    @property
    def shim(self) -> str:
        """The host's own link on the parent, by which it reaches its containers (option host_access)."""
        return f"mh-{self.short}"

    @property
    def device(self) -> str:
        """The bridge device."""
        return self.option("bridge.name") or f"br-{self.short}"

    @property
    def families(self) -> tuple[int, ...]:
        """4, 6 or both: those it has addresses of."""
        return tuple(version for version in BOTH if self.pool(version))

    def pool(self, version: int) -> Pool | None:
        """Its (first) pool of a family."""
        return next(iter(self.pools_of(version)), None)

    def pools_of(self, version: int) -> tuple[Pool, ...]:
        """Its pools of a family; bridge networks have one at most."""
        return tuple(pool for pool in self.pools if pool.subnet.version == version)

    def gateway_interface(self, version: int) -> Interface | None:
        """The gateway's address with the subnet's length: what the bridge device gets."""
        pool = self.pool(version)
        return ip_interface(f"{pool.gateway}/{pool.subnet.prefixlen}") if pool and pool.gateway else None

    @property
    def user_defined(self) -> bool:
        """Did the user make it? Names, aliases and fixed addresses are for such networks only."""
        return self.name not in PREDEFINED

    @property
    def mtu_bytes(self) -> int:
        """The MTU asked for; 0 leaves the kernel's default."""
        return int(self.option("driver.mtu", "0"))


class Attachment(Record):
    """What a container asks of one of its networks."""

    network: str  # the network's id
    name: str  # the network's name
    ip: str = ""  # fixed addresses
    ip6: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()  # more names there
    links: tuple[str, ...] = ()  # CONTAINER[:ALIAS], as written
    link_local: tuple[str, ...] = ()  # more addresses, of 169.254.0.0/16 or fe80::/10
    options: tuple[tuple[str, str], ...] = ()  # driver options, full keys
    gw_priority: int = 0

    def option(self, key: str, default: str = "") -> str:
        """A driver option by its key without `com.docker.network.`."""
        return dict(self.options).get(OPTION_PREFIX + key, default)


class Endpoint(Record):
    """One attachment of one sandbox to one network; every name and address in it is ours to choose."""

    id: str
    network: str  # the network's id
    container: str  # the container's id
    netns: str  # the sandbox's name in /run/netns; "" in the host's own
    host_ifname: str
    guest_ifname: str
    host_mac: str
    guest_mac: str
    address: IPv4Interface | None
    gateway: IPv4Address | None  # None: no default route
    ports: tuple[PortBinding, ...] = ()  # host port 0: opened for those with a route to it, not published
    address6: IPv6Interface | None = None
    gateway6: IPv6Address | None = None
    attachment: Attachment = Attachment("", "")
    internal: bool = False  # its network is
    onlink: bool = False  # its default route needs no gateway's address
    leases: bool = False  # its address is on loan from a DHCP server,
    lease: Lease | None = None  # by this; None: it has none (yet)

    @property
    def scope(self) -> str:
        """The name of its kernel objects' scope."""
        return f"container/{self.container[:12]}/{self.network[:12]}"

    @property
    def exit_scope(self) -> str:
        """The scope of what moves when the sandbox gets another gateway: default routes, published ports."""
        return exit_scope(self.container)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Its addresses with their lengths, IPv4 first."""
        return tuple(one for one in (self.address, self.address6) if one)

    @property
    def wired(self) -> bool:
        """Is there a link to its network? Those of host and none are not."""
        return bool(self.interfaces or self.leases)

    def leased(self, lease: Lease | None) -> Endpoint:
        """With the address of a lease; None: without."""
        gateway = lease.router if lease and not self.internal else None
        return self.but(lease=lease, address=lease.interface if lease else None, gateway=gateway)

    def interface(self, version: int) -> Interface | None:
        """Its address of a family."""
        return self.address if version == 4 else self.address6

    def gateway_of(self, version: int) -> Address | None:
        """Its gateway of a family."""
        return self.gateway if version == 4 else self.gateway6

    def leads_out(self, version: int) -> bool:
        """Can packets of a family leave the sandbox by it?"""
        return bool(self.gateway_of(version) or (self.onlink and self.interface(version)))

    @property
    def published(self) -> tuple[PortBinding, ...]:
        """The ports that the host offers."""
        return tuple(binding for binding in self.ports if binding.host_port)


Way: TypeAlias = tuple[Network, Endpoint]  # one way out of a container


def exit_scope(container_id: str) -> str:
    """The scope of a container's default routes and published ports."""
    return f"container/{container_id[:12]}/exit"


def by_gateway(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints in Docker's order of preference as a way out (docker-behaviour.md §2.2).

    Highest gw-priority first, internal networks last, those with both gateways before the others, then by name.
    """
    return tuple(sorted(endpoints, key=lambda end: (
        -end.attachment.gw_priority, end.internal, not (end.leads_out(4) and end.leads_out(6)), end.attachment.name)))


def gateway_endpoint(endpoints: Iterable[Endpoint], version: int) -> Endpoint | None:
    """The endpoint that a family's packets leave by."""
    return next((end for end in by_gateway(endpoints) if end.leads_out(version)), None)


class Found(Record):
    """How an adopted bridge was before we used it: what was there stays, what we set is put back."""

    addresses: tuple[Interface, ...]  # those of the gateway's that it had
    route_localnet: str
    accept_ra: str  # "" without IPv6
    disable_ipv6: str = ""
    accept_dad: str = ""


class Facts(Record):
    """What a driver must know of the host; read once by `app` and kept with the scope."""

    ip_forward: bool
    ipv6: bool  # has the host IPv6 at all?
    forward_policy: str  # of filter FORWARD: ACCEPT or DROP
    user_namespace: bool  # only some ids are mapped
    found: Found | None = None  # the network's bridge, if it was there before us
    bridge_netfilter: str = "1"  # does iptables see frames between ports of one bridge: 1, 0, or "" without the module
    bridge_netfilter6: str = "1"  # the same of ip6tables
    ip6_forward: bool = True
    forward_policy6: str = "ACCEPT"
    on_parent: tuple[IPv4Interface | IPv6Interface, ...] = ()  # the host's addresses there, if it is to be reached
