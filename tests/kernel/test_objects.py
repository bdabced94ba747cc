"""Every noun: create, exists, create again, delete, absent, delete again; and nothing else of the host changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from minidock.errors import Conflict, MinidockError, Unsupported
from minidock.kernel import netns, procsys
from minidock.kernel.handle import Kernel
from minidock.kernel.netlink import Refusal
from minidock.model.firewall import END, TOP, Chain, Policy, Rule
from minidock.model.record import Record
from minidock.objects import (
    KINDS,
    Address,
    Alias,
    Bridge,
    BridgePort,
    Dummy,
    Existing,
    Ipvlan,
    KernelObject,
    Macvlan,
    Netns,
    Route,
    RuleSet,
    Sysctl,
    Up,
    Veth,
    Vlan,
    uppers,
)
from tests.ground import Host

BOX, BRIDGE, CABLE = "md-0b1ec7000000", "br-0b1ec7000000", "veth0b1ec70"
MAC, HOST_MAC, GUEST_MAC = "02:42:00:00:00:01", "02:42:00:00:00:02", "02:42:00:00:00:03"

box = Netns("", BOX)
bridge = Bridge("", BRIDGE, MAC)
cable = Veth("", CABLE, HOST_MAC, "eth0", GUEST_MAC, BOX, BRIDGE)
address = Address("", BOX, "eth0", IPv4Interface("10.9.0.2/24"))
guest_up = Up("", BOX, "eth0")


class Sample(Record):
    """An object of one kind, and what must be there before it."""

    ground: tuple[KernelObject, ...]
    subject: KernelObject
    exclusive: bool  # is a second creation refused?


def _rules() -> RuleSet:
    def rule(family: int, table: str, chain: str, at: str, spec: str, note: str) -> Rule:
        return Rule(family, table, chain, at, spec, "network/0b1ec7000000", note, "")

    return RuleSet(
        "", (Chain(4, "filter", "MINIDOCK-TEST"), Chain(6, "filter", "MINIDOCK-TEST")),
        (Policy(4, "filter", "FORWARD", "DROP", was="ACCEPT"),),
        (rule(4, "filter", "FORWARD", TOP, "-j MINIDOCK-TEST", "jump"),
         rule(6, "filter", "FORWARD", TOP, "-j MINIDOCK-TEST", "jump"),
         rule(4, "filter", "MINIDOCK-TEST", END, "-s 10.9.0.0/24 -j ACCEPT", "inside"),
         rule(4, "nat", "POSTROUTING", TOP, f"-s 10.9.0.0/24 ! -o {BRIDGE} -j MASQUERADE", "outside")))


SAMPLES = {
    "Netns": Sample((), box, True),
    "Bridge": Sample((), bridge.but(mtu_bytes=1400), True),
    "Veth": Sample((box, bridge), cable, True),
    "BridgePort": Sample((box, bridge, cable), BridgePort("", CABLE, True), False),
    "Up": Sample((box, bridge, cable), guest_up, False),
    "Alias": Sample((bridge,), Alias("", BRIDGE, "minidock:test"), False),
    "Address": Sample((box, bridge, cable), address, True),
    "Route": Sample((box, bridge, cable, address, guest_up),
                    Route("", BOX, "eth0", IPv4Network("0.0.0.0/0"), IPv4Address("10.9.0.1")), True),
    "RuleSet": Sample((), _rules(), False),
    "Macvlan": Sample((box, bridge), Macvlan("", "eth0", BRIDGE, "private", GUEST_MAC, BOX, 1400), True),
    "Ipvlan": Sample((box, bridge), Ipvlan("", "eth0", BRIDGE, "l3", "vepa", BOX, 1400), True),
    "Vlan": Sample((bridge,), Vlan("", f"{BRIDGE[:10]}.7", BRIDGE, 7), True),
    "Dummy": Sample((), Dummy("", "dm-0b1ec700000", MAC), True),
    "Sysctl": Sample((bridge,), Sysctl("", "", "net.ipv4.ip_forward", "1", was="0"), False),
}
LASTING = {"Existing", "Announcement", "Flows"}  # leave nothing to delete: tests of their own below, and in tests/wire


def _kinds(kinds: Iterable[str] = SAMPLES) -> list[Any]:
    """Each where the kernel has it."""
    return [pytest.param(kind, marks=pytest.mark.kernel(kind.lower()) if kind in ("Ipvlan", "Vlan", "Dummy") else ())
            for kind in kinds]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.close()


def view(host: Host) -> dict[str, object]:
    """The host's picture with its bridge ports, and the sandbox's beside it; carrier and its like left out."""
    inside = host.shell(f"ip -n {BOX} addr; ip -n {BOX} route") if netns.is_namespace(BOX) else ""
    text = inside + host.shell("bridge -d link")
    return {**host.picture(), "more": re.sub(r"qdisc \S+ |state \S+ |,?(NO-CARRIER|LOWER_UP|M-DOWN),?", "", text)}


def lay(kernel: Kernel, *ground: KernelObject) -> None:
    for item in ground:
        item.create(kernel)


def test_no_kind_is_forgotten() -> None:
    assert set(KINDS) == set(SAMPLES) | LASTING


@pytest.mark.parametrize("kind", _kinds())
def test_create_exists_delete_absent(host: Host, kernel: Kernel, kind: str) -> None:
    sample = SAMPLES[kind]
    subject = sample.subject
    lay(kernel, *sample.ground)
    before = view(host)
    assert not subject.exists(kernel)
    memo: Any = subject.create(kernel)
    assert subject.exists(kernel)
    assert view(host) != before
    if sample.exclusive:
        with pytest.raises((OSError, MinidockError)) as refused:
            subject.create(kernel)
        assert isinstance(refused.value, (Conflict, Refusal, FileExistsError))
        assert subject.exists(kernel)
    subject.delete(kernel, memo)
    assert not subject.exists(kernel)
    subject.delete(kernel, memo)
    assert view(host) == before


@pytest.mark.parametrize("kind", _kinds())
def test_deleting_what_never_was_is_forgiven(host: Host, kernel: Kernel, kind: str) -> None:
    """Neither the object nor anything it would stand on is there; nothing is raised and nothing changes."""
    before = view(host)
    SAMPLES[kind].subject.delete(kernel)
    assert not SAMPLES[kind].subject.exists(kernel)
    assert view(host) == before


@pytest.mark.parametrize("kind", _kinds([kind for kind in SAMPLES if SAMPLES[kind].ground and kind != "Sysctl"]))
def test_creation_without_its_ground_is_refused_and_makes_nothing(host: Host, kernel: Kernel, kind: str) -> None:
    before = view(host)
    with pytest.raises((OSError, MinidockError)):
        SAMPLES[kind].subject.create(kernel)
    assert view(host) == before


@pytest.mark.parametrize("foreign", ["type bridge", "type veth peer name other"])
@pytest.mark.parametrize("subject", [bridge.but(name="dev0"), cable.but(host="dev0")], ids=["Bridge", "Veth"])
def test_a_foreign_device_of_the_same_name_is_spared(host: Host, kernel: Kernel, subject: KernelObject,
                                                     foreign: str) -> None:
    """Without our link group it is not ours; the control: with it, it goes."""
    lay(kernel, box, bridge)
    host.shell(f"ip link add dev0 {foreign}")
    with pytest.raises((Conflict, Refusal)):
        subject.create(kernel)
    before = view(host)
    subject.delete(kernel)
    assert view(host) == before
    assert not subject.exists(kernel)
    host.shell("ip link set dev0 group 7777")
    subject.delete(kernel)
    assert "dev0" not in host.shell("ip -o link")


def test_a_foreign_device_stays_up(host: Host, kernel: Kernel) -> None:
    """An adopted bridge was perhaps up for others; the control: one of ours is taken down."""
    host.shell("ip link add dev0 type bridge")
    lifted = Up("", "", "dev0")
    lifted.create(kernel)
    lifted.delete(kernel)
    assert lifted.exists(kernel)
    host.shell("ip link set dev0 group 7777")
    lifted.delete(kernel)
    assert not lifted.exists(kernel)


def test_existing_is_checked_and_never_deleted(host: Host, kernel: Kernel) -> None:
    adopted = Existing("", "dev0", "bridge")
    assert not adopted.exists(kernel)
    with pytest.raises(Refusal):
        adopted.create(kernel)
    host.shell("ip link add dev0 type bridge")
    before = view(host)
    adopted.create(kernel)
    assert adopted.exists(kernel)
    adopted.delete(kernel)
    assert adopted.exists(kernel)
    assert view(host) == before


def test_existing_refuses_another_kind(host: Host, kernel: Kernel) -> None:
    host.shell("ip link add dev0 type veth peer name dev1")
    with pytest.raises(Conflict, match="dev0 is not a bridge"):
        Existing("", "dev0", "bridge").create(kernel)
    assert not Existing("", "dev0", "bridge").exists(kernel)


def test_a_sysctl_goes_back_only_while_it_is_ours(host: Host, kernel: Kernel) -> None:
    key = "net.ipv4.ip_default_ttl"
    procsys.write(key, "64")
    ours = Sysctl("", "", key, "99", was="64")
    ours.create(kernel)
    ours.delete(kernel)
    assert procsys.read(key) == "64"
    ours.create(kernel)
    procsys.write(key, "77")  # somebody else's wish now
    assert not ours.exists(kernel)
    ours.delete(kernel)
    assert procsys.read(key) == "77"


def test_a_sysctl_without_memory_stays(host: Host, kernel: Kernel) -> None:
    """Those of a sandbox or of a device of ours die with it: nothing is remembered."""
    lay(kernel, box)
    ours = Sysctl("", BOX, "net.ipv4.ip_unprivileged_port_start", "0")
    ours.create(kernel)
    ours.delete(kernel)
    assert procsys.read(ours.key, BOX) == "0"
    assert procsys.read(ours.key) == "1024"


def test_rules_created_twice_are_deleted_both(host: Host, kernel: Kernel) -> None:
    """Without a memory of their handles they are found by their comments."""
    before = view(host)
    rules = _rules()
    rules.create(kernel)
    rules.create(kernel)
    assert host.shell("iptables -t nat -S POSTROUTING").count("MASQUERADE") == 2
    rules.delete(kernel)
    assert view(host) == before


def test_rules_of_others_stay_when_ours_go(host: Host, kernel: Kernel) -> None:
    """A policy somebody changed meanwhile stays theirs, and a chain of ours that a foreign rule needs stays too."""
    rules = _rules()
    memo = rules.create(kernel)
    host.shell("iptables -A MINIDOCK-TEST -s 192.0.2.1 -j DROP; iptables -A FORWARD -s 192.0.2.2 -j DROP;"
               " iptables -P FORWARD ACCEPT; iptables -t nat -A POSTROUTING -s 192.0.2.3 -j ACCEPT")
    rules.delete(kernel, memo)
    assert host.shell("iptables -S").splitlines() == [
        "-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT", "-N MINIDOCK-TEST",
        "-A FORWARD -s 192.0.2.2/32 -j DROP", "-A MINIDOCK-TEST -s 192.0.2.1/32 -j DROP"]
    assert "192.0.2.3" in host.shell("iptables -t nat -S POSTROUTING")
    assert not rules.exists(kernel)


def test_a_half_made_namespace_does_not_exist_and_goes(host: Host, kernel: Kernel) -> None:
    """Killed between the file and the mount, its creation leaves a plain file."""
    lay(kernel, box)
    box.delete(kernel)
    open(netns.path(BOX), "w").close()
    assert not box.exists(kernel)
    box.delete(kernel)
    assert not netns.exists(BOX)


def test_a_kind_of_link_that_the_kernel_lacks_is_told_with_its_module(host: Host, kernel: Kernel) -> None:
    """A kind no kernel has, made as an Ipvlan would be; control: the same call with a kind that it has."""
    lay(kernel, bridge)
    with pytest.raises(Unsupported) as refused:
        uppers._create(kernel, "no0", "", "nosuchvlan", b"", BRIDGE)
    assert (refused.value.what, refused.value.hint) == (
        "this kernel has no nosuchvlan links", "load the module: modprobe nosuchvlan; or use a kernel that has it")
    uppers._create(kernel, "no0", "", "macvlan", b"", BRIDGE)
