"""The kernel as the objects see it: sockets into namespaces, opened on first use and kept until the end."""

from __future__ import annotations

import errno
import os
import struct

from minidock.errors import Unsupported
from minidock.kernel import conntrack, netlink, netns, rtnl
from minidock.kernel.netlink import NetlinkSocket, Refusal, attributes
from minidock.model.ports import PortBinding
from minidock.model.record import Record

GROUP = 7777  # the link group of every device of ours: `ip link show group 7777`
ROUTE_PROTOCOL = 77  # the protocol of every route of ours: `ip route show proto 77`
_index = struct.Struct("=i")


class Link(Record):
    """What the kernel says of one link."""

    index: int
    name: str
    up: bool
    group: int
    master: int
    alias: str
    mac: str
    mtu_bytes: int
    kind: str
    hairpin: bool = False  # of a bridge port
    isolated: bool = False
    carrier: bool = False

    @property
    def ours(self) -> bool:
        """Does it carry our mark?"""
        return self.group == GROUP


def index_of(body: bytes) -> int:
    """The index in an RTM_NEWLINK body."""
    index: int = _index.unpack_from(body, 4)[0]
    return index


def link_of(body: bytes) -> Link:
    """Decode an RTM_NEWLINK body."""
    _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
    found = attributes(body, 16)
    number = {key: int.from_bytes(found.get(key, b""), "little") for key in (4, 10, 27)}
    text = {key: found.get(key, b"").rstrip(b"\0").decode(errors="replace") for key in (3, 20)}
    nature = attributes(found.get(18, b""))  # IFLA_LINKINFO: its kind, and as whose port it serves
    kind = nature.get(1, b"").rstrip(b"\0").decode()
    port = attributes(nature.get(5, b""))  # IFLA_INFO_SLAVE_DATA: IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED
    return Link(index, text[3], bool(flags & rtnl.UP), number[27], number[10], text[20],
                found.get(1, b"").hex(":"), number[4], kind, port.get(4) == b"\1", port.get(33) == b"\1",
                bool(flags & rtnl.LOWER_UP))


def _opened(protocol: int) -> NetlinkSocket:
    """A netlink socket; `Unsupported` where the kernel has no such protocol."""
    try:
        return NetlinkSocket(protocol, wide=protocol == netlink.NETFILTER)
    except OSError as error:
        if error.errno != errno.EPROTONOSUPPORT:
            raise
        part = "nf_tables, the firewall" if protocol == netlink.NETFILTER else "rtnetlink"
        raise Unsupported(f"this kernel lacks {part}: {error.strerror}",
                          "load it: modprobe nf_tables; or use a kernel that has it") from error


class Kernel:
    """The running kernel, seen from the host's network namespace.

    A lingering one leaves what the kernel takes long over and is sure to do (deleting a link: 18 ms of RCU grace;
    closing a socket after rules were deleted: 10 ms) to a forked child, so that the command can end.
    """

    def __init__(self, lingering: bool = False) -> None:
        self._sockets: dict[tuple[int, str], NetlinkSocket] = {}
        self._lingering = lingering
        self._doomed_links: list[int] = []
        self._doomed_flows: list[PortBinding] = []
        self._rules_deleted = False

    def route(self, where: str = "") -> NetlinkSocket:
        """The rtnetlink socket inside a namespace ("" = the host)."""
        return self._socket(netlink.ROUTE, where)

    def netfilter(self, where: str = "") -> NetlinkSocket:
        """The nfnetlink socket inside a namespace."""
        return self._socket(netlink.NETFILTER, where)

    def _socket(self, protocol: int, where: str) -> NetlinkSocket:
        key = (protocol, where)
        if key not in self._sockets:
            with netns.inside(where):
                self._sockets[key] = _opened(protocol)
        return self._sockets[key]

    def link(self, where: str, name: str) -> Link:
        """One link by name; `Refusal` ENODEV if there is none."""
        return link_of(self._told(where, name))

    def _told(self, where: str, name: str) -> bytes:
        if not 0 < len(name.encode()) < 16:
            raise Refusal(errno.ENODEV, "", 0)
        ((_, body),) = self.route(where).ask(rtnl.GETLINK, 0, rtnl.named_link(name))
        return body

    def links(self, where: str = "") -> list[Link]:
        """All links of a namespace."""
        answers = self.route(where).ask(rtnl.GETLINK, netlink.DUMP, rtnl.all_links())
        return [link_of(body) for kind, body in answers if kind == rtnl.NEWLINK]

    def index(self, where: str, name: str) -> int:
        """The link's index, looked up at the moment of use; to decode all of the answer costs more than to ask."""
        return index_of(self._told(where, name))

    def delete_link(self, link: Link) -> None:
        """Delete a host link; a lingering kernel takes it down at once and deletes it after the command."""
        if not self._lingering:
            self.route().request(rtnl.DELLINK, 0, rtnl.link(link.index))
            return
        self.route().request(rtnl.NEWLINK, 0, rtnl.link(link.index, up=False))
        self._doomed_links.append(link.index)

    def forget_flows(self, binding: PortBinding) -> None:
        """Have connection tracking forget the flows to a published port, when all of this step are known."""
        self._doomed_flows.append(binding)

    def _forget_flows(self) -> None:
        flows = [conntrack.Published(conntrack.PROTOCOLS[one.proto], one.host_ip.packed, one.host_port, one.host_last,
                                     one.ip.packed) for one in self._doomed_flows]
        self._doomed_flows = []
        if flows:
            conntrack.forget(self.netfilter(), flows)

    def rules_deleted(self) -> None:
        """Remember that the next close of the nfnetlink socket waits for the kernel's clean-up."""
        self._rules_deleted = True

    def forget(self, where: str) -> None:
        """Close the sockets in a namespace: an open one would keep it alive."""
        for key in [key for key in self._sockets if key[1] == where]:
            self._sockets.pop(key).close()

    def settle(self) -> None:
        """See to it that what is still owed will happen even if this process is killed now."""
        self._forget_flows()
        if not (self._doomed_links or (self._lingering and self._rules_deleted)):
            return
        if os.fork() == 0:
            try:
                self._linger()
            finally:
                os._exit(0)
        self._doomed_links = []
        self._rules_deleted = False

    def _linger(self) -> None:
        os.setsid()
        kept = sorted(sock.fileno() for key, sock in self._sockets.items() if not key[1])
        low = 0
        for fd in kept:  # locks, pipes and databases of the parent must not stay open with us
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, os.sysconf("SC_OPEN_MAX") if low > 65536 else 65536)
        for index in self._doomed_links:
            try:
                self.route().request(rtnl.DELLINK, 0, rtnl.link(index))
            except Refusal:  # its other end died first
                continue

    def close(self) -> None:
        """Close every socket, after what is owed is settled."""
        self.settle()
        while self._sockets:
            self._sockets.popitem()[1].close()
