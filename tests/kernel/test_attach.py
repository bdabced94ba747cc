"""Several networks on one container: order of interfaces, choice of gateways, attaching and leaving at any time."""

from __future__ import annotations

import pytest

from tests.ground import Host
from tests.several import OPTION, addresses, attached, create, inside, inspected, up, ways_out

IFNAME = f"driver-opt={OPTION}endpoint.ifname"


def test_interfaces_stand_in_the_order_of_the_command_line(host: Host) -> None:
    """Docker's order is random (§2.2); ours is the same at every start, whatever the networks are called."""
    create(host, "ant", "bee", "dog")
    up(host, "web", ["dog", "ant", "bee"])
    expected = {"eth0": ["10.4.0.2/24", "fd00:4::2/64"], "eth1": ["10.1.0.2/24"], "eth2": ["10.2.0.2/24"]}
    assert addresses(host, "web") == expected
    host.minidock("restart", "-t", "0", "web")
    assert addresses(host, "web") == expected


def test_names_of_interfaces(host: Host) -> None:
    """A name asked for is kept free from the automatic ones, which take the lowest number that is free when they come:
    connecting again after leaving gives the same name, not the next."""
    create(host, "ant", "bee", "dog", "elk")
    up(host, "web", [f"name=ant,{IFNAME}=eth1", "bee", f"name=dog,{IFNAME}=lan0"])
    assert {name: found[0] for name, found in addresses(host, "web").items()} == {
        "eth1": "10.1.0.2/24", "eth0": "10.2.0.2/24", "lan0": "10.4.0.2/24"}
    host.minidock("net", "connect", "elk", "web")
    assert addresses(host, "web")["eth2"] == ["fd00:5::2/64"]
    host.minidock("net", "disconnect", "bee", "web")
    host.minidock("net", "connect", "bee", "web")
    assert addresses(host, "web")["eth0"] == ["10.2.0.2/24"]


def test_a_prefix_of_the_network_s(host: Host) -> None:
    host.minidock("net", "create", "wan", "--subnet", "10.8.0.0/24", "-o", f"{OPTION}container_iface_prefix=wan")
    create(host, "ant")
    up(host, "web", ["ant", "wan"])
    assert addresses(host, "web") == {"eth0": ["10.1.0.2/24"], "wan0": ["10.8.0.2/24"]}


def test_settings_of_one_interface(host: Host) -> None:
    """endpoint.sysctls are for this interface only, whatever its name is; the other one is the control."""
    create(host, "ant", "bee")
    sysctls = f'"driver-opt={OPTION}endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.tag=7"'
    up(host, "web", ["ant", f"name=bee,{sysctls},mac-address=02:42:0a:02:00:09,link-local-ip=169.254.9.9"])
    read = "cd /proc/sys/net/ipv4/conf; cat eth0/log_martians eth0/tag eth1/log_martians eth1/tag"
    assert inside(host, "web", read) == "0\n0\n1\n7\n"
    assert inside(host, "web", "cat /sys/class/net/eth1/address") == "02:42:0a:02:00:09\n"
    assert "inet 169.254.9.9/16" in inside(host, "web", "ip -4 addr show eth1")


@pytest.mark.parametrize(("nets", "four", "six"), [
    (["bee", "ant"], "10.1.0.1", ""),  # 5: by name
    (["name=bee,gw-priority=1", "ant"], "10.2.0.1", ""),  # 1: by priority
    (["bee", "name=ant,gw-priority=-1"], "10.2.0.1", ""),
    (["cat", "bee"], "10.2.0.1", ""),  # 3: never by an internal one, for it has no gateway
    (["name=cat,gw-priority=9", "bee"], "10.2.0.1", ""),
    (["cat"], "", ""),
    (["cat", "fox"], "", ""),
    (["ant", "dog"], "10.4.0.1", "fd00:4::1"),  # 4: with both families before the others
    (["gnu", "dog"], "10.4.0.1", "fd00:4::1"),
    (["ant", "elk"], "10.1.0.1", "fd00:5::1"),  # each family by its own
    (["fox", "elk"], "", "fd00:5::1"),
    (["name=ant,gw-priority=1", "dog"], "10.1.0.1", "fd00:4::1"),  # a priority counts for the families there are
    (["name=elk,gw-priority=1", "dog"], "10.4.0.1", "fd00:5::1"),
    (["name=gnu,gw-priority=1", "name=ant,gw-priority=2", "dog"], "10.1.0.1", "fd00:7::1"),
], ids=" ".join)
def test_the_way_out(host: Host, nets: list[str], four: str, six: str) -> None:
    """docker-behaviour.md §2.2; the same if the networks come one by one, in any order, and after they went."""
    names = [word.partition(",")[0].removeprefix("name=") for word in nets]
    create(host, *names)
    up(host, "all", nets)
    assert ways_out(host, "all") == (four, six)
    up(host, "late", nets[-1:])
    for word, name in zip(nets[:-1], names, strict=False):
        priority = word.partition("gw-priority=")[2] or "0"
        host.minidock("net", "connect", "--gw-priority", priority, name, "late")
    assert ways_out(host, "late") == (four, six)
    shown = {name: item for name, item in attached(host, "all").items() if item["Gateway"] or item["IPv6Gateway"]}
    assert not set(shown) & {"cat", "fox"}  # an internal network's gateway is nobody's way out
    for name in names[:-1]:
        host.minidock("net", "disconnect", name, "late")
    up(host, "alone", nets[-1:])
    assert ways_out(host, "late") == ways_out(host, "alone")


def test_the_way_out_moves_with_each_change(host: Host) -> None:
    create(host, "ant", "bee", "dog")
    up(host, "web", ["bee"])
    seen = [ways_out(host, "web")]
    for words in ("connect ant web", "connect dog web", "disconnect dog web", "disconnect ant web",
                  "connect --gw-priority 5 ant web", "disconnect bee web", "disconnect ant web", "connect dog web"):
        host.minidock("net", *words.split())
        seen.append(ways_out(host, "web"))
    assert seen == [("10.2.0.1", ""), ("10.1.0.1", ""), ("10.4.0.1", "fd00:4::1"), ("10.1.0.1", ""), ("10.2.0.1", ""),
                    ("10.1.0.1", ""), ("10.1.0.1", ""), ("", ""), ("10.4.0.1", "fd00:4::1")]


def test_a_stopped_container_is_connected_at_its_start(host: Host) -> None:
    """Configuration only: nothing is leased before; connecting again says nothing and changes nothing (§1.4)."""
    create(host, "ant", "bee", "dog")
    host.minidock("create", "--name", "web", "--net", "bee", "sleep", "600")
    before = host.picture()
    host.minidock("net", "connect", "--ip", "10.1.0.9", "--alias", "api", "--gw-priority", "-3", "ant", "web")
    host.minidock("net", "connect", "--ip", "10.1.0.77", "ant", "web")
    host.minidock("net", "connect", "dog", "web")
    host.minidock("net", "disconnect", "dog", "web")
    assert host.picture() == before
    asked = attached(host, "web")
    assert list(asked) == ["bee", "ant"]
    shown = [asked["ant"][key] for key in ("IPAMConfig", "Aliases", "GwPriority", "IPAddress")]
    assert shown == [{"IPv4Address": "10.1.0.9"}, ["api"], -3, ""]
    host.minidock("start", "web")
    assert addresses(host, "web") == {"eth0": ["10.2.0.2/24"], "eth1": ["10.1.0.9/24"]}
    assert ways_out(host, "web") == ("10.2.0.1", "")
    again = host.minidock("net", "connect", "ant", "web", check=False)
    assert "endpoint with name web already exists in network ant" in again.stderr


def test_what_was_connected_while_it_ran_is_so_after_a_restart(host: Host) -> None:
    create(host, "ant", "bee", "dog")
    up(host, "web", ["bee", "dog"])
    host.minidock("net", "connect", "--ip", "10.1.0.9", "ant", "web")
    host.minidock("net", "disconnect", "dog", "web")
    before = addresses(host, "web")
    host.minidock("restart", "-t", "0", "web")
    assert set(attached(host, "web")) == {"bee", "ant"}
    assert sorted(addresses(host, "web").values()) == sorted(before.values()) == [["10.1.0.9/24"], ["10.2.0.2/24"]]


def test_a_fixed_address_is_kept_for_who_does_not_run(host: Host) -> None:
    """Unlike Docker, where it may be gone at the next start; automatic choice goes round it."""
    create(host, "ant")
    host.minidock("create", "--name", "db", "--net", "ant", "--ip", "10.1.0.2", "sleep", "600")
    up(host, "web", ["ant"])
    assert attached(host, "web")["ant"]["IPAddress"] == "10.1.0.3"
    host.minidock("start", "db")
    assert attached(host, "db")["ant"]["IPAddress"] == "10.1.0.2"
    host.minidock("rm", "-f", "db")
    up(host, "next", ["ant"])
    assert attached(host, "next")["ant"]["IPAddress"] == "10.1.0.2"


def test_from_none_to_a_network_and_back(host: Host) -> None:
    """§14: a running `none` container leaves it, and then is connected; the files follow."""
    create(host, "ant")
    up(host, "web", ["none"])
    assert (list(attached(host, "web")), addresses(host, "web")) == (["none"], {})
    refused = host.minidock("net", "connect", "ant", "web", check=False)
    assert "one of the networks in private (none) mode" in refused.stderr
    host.minidock("net", "disconnect", "none", "web")
    assert attached(host, "web") == {}
    host.minidock("net", "connect", "ant", "web")
    assert (addresses(host, "web"), ways_out(host, "web")) == ({"eth0": ["10.1.0.2/24"]}, ("10.1.0.1", ""))
    assert "nameserver 127.0.0.11" in inside(host, "web", "cat /etc/resolv.conf")
    assert inside(host, "web", "dig +short web") == "10.1.0.2\n"
    assert "10.1.0.2\t" in inside(host, "web", "cat /etc/hosts")
    host.minidock("net", "disconnect", "ant", "web")
    assert "10.1.0.2" not in inside(host, "web", "cat /etc/hosts")
    host.minidock("net", "connect", "none", "web")
    assert (list(attached(host, "web")), addresses(host, "web")) == (["none"], {})
    host.minidock("restart", "-t", "0", "web")
    assert (list(attached(host, "web")), addresses(host, "web")) == (["none"], {})


def test_on_no_network_at_all(host: Host) -> None:
    """It runs, starts again, and its ports are told to come to nothing."""
    create(host, "ant")
    up(host, "web", ["ant"], "-p", "8080:80")
    host.minidock("net", "disconnect", "ant", "web")
    assert (attached(host, "web"), addresses(host, "web"), ways_out(host, "web")) == ({}, {}, ("", ""))
    assert host.picture()["sockets"] == []
    host.minidock("stop", "-t", "0", "web")
    assert "Published ports are discarded: the container is on no network" in host.minidock("start", "web").stderr
    assert inspected(host, "web")["State"]["Status"] == "running"
    host.minidock("net", "connect", "ant", "web")
    assert host.picture()["sockets"] == ["tcp 0.0.0.0:8080", "tcp [::]:8080"]


def test_the_default_network_is_left_and_joined(host: Host) -> None:
    """§1.5: leaving it is allowed; joined beside another it gives neither names nor the way out by its name."""
    create(host, "cat")
    up(host, "web", ["bridge"])
    assert attached(host, "web")["bridge"]["IPAddress"] == "172.17.0.2"
    host.minidock("net", "connect", "cat", "web")
    assert ways_out(host, "web") == ("172.17.0.1", "")
    host.minidock("net", "disconnect", "bridge", "web")
    assert (list(attached(host, "web")), ways_out(host, "web")) == (["cat"], ("", ""))
    host.minidock("net", "connect", "bridge", "web")
    assert ways_out(host, "web") == ("172.17.0.1", "")
