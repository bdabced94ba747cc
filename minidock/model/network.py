"""Networks and endpoints."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from minidock.model.ports import PortBinding
from minidock.model.record import Record

PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}  # name -> driver, as Docker's
RESERVED_NAMES = (*PREDEFINED, "default")
OPTION_PREFIX = "com.docker.network."


class Pool(Record):
    """A subnet of a network and who may have which of its addresses."""

    subnet: IPv4Network
    ip_range: IPv4Network | None = None  # where automatic addresses come from; None: the subnet
    gateway: IPv4Address | None = None
    aux: tuple[tuple[str, IPv4Address], ...] = ()  # reserved for others, by name


class Network(Record):
    """What `net create` makes: a broadcast domain with a driver, a pool and options."""

    id: str  # 64 hex digits
    name: str
    driver: str
    created: str  # RFC 3339, nanoseconds
    pools: tuple[Pool, ...] = ()
    options: tuple[tuple[str, str], ...] = ()  # as given, full keys
    labels: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    mac: str = ""  # of the bridge device
    adopted: bool = False  # the device was there before us

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

    @property
    def device(self) -> str:
        """The bridge device."""
        return self.option("bridge.name") or f"br-{self.short}"

    @property
    def gateway_interface(self) -> IPv4Interface | None:
        """The gateway's address with the subnet's length: what the bridge device gets."""
        pool = self.pools[0]
        return IPv4Interface(f"{pool.gateway}/{pool.subnet.prefixlen}") if pool.gateway else None

    @property
    def mtu_bytes(self) -> int:
        """The MTU asked for; 0 leaves the kernel's default."""
        return int(self.option("driver.mtu", "0"))


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

    @property
    def scope(self) -> str:
        """The name of its kernel objects' scope."""
        return f"container/{self.container[:12]}/{self.network[:12]}"

    @property
    def exit_scope(self) -> str:
        """The scope of what moves when the sandbox gets another gateway: default route, published ports."""
        return f"container/{self.container[:12]}/exit"

    @property
    def published(self) -> tuple[PortBinding, ...]:
        """The ports that the host offers."""
        return tuple(binding for binding in self.ports if binding.host_port)


class Found(Record):
    """How an adopted bridge was before we used it: what was there stays, what we set is put back."""

    addressed: bool  # it had the gateway's address
    route_localnet: str
    accept_ra: str  # "" without IPv6


class Facts(Record):
    """What a driver must know of the host; read once by `app` and kept with the scope."""

    ip_forward: bool
    ipv6: bool  # has the host IPv6 at all?
    forward_policy: str  # of filter FORWARD: ACCEPT or DROP
    user_namespace: bool  # only some ids are mapped
    found: Found | None = None  # the network's bridge, if it was there before us
    bridge_netfilter: str = "1"  # does iptables see frames between ports of one bridge: 1, 0, or "" without the module
