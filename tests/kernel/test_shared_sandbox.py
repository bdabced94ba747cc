"""--network container:NAME: one sandbox for two, whatever becomes of its owner (docker-behaviour.md §2.4, §8, §14)."""

from __future__ import annotations

import json
import os

import pytest

from tests.ground import Host, until
from tests.several import addresses, attached, create, inside, inspected, up


@pytest.fixture
def shared(host: Host) -> Host:
    """web on ant and dog with a published port; guest in its sandbox."""
    create(host, "ant", "dog")
    up(host, "web", ["ant", "dog"], "--hostname", "box", "-p", "8080:80")
    up(host, "guest", ["container:web"])
    return host


def sandbox_of(host: Host, name: str) -> str:
    """The network namespace of a container's process."""
    return os.readlink(f"/proc/{inspected(host, name)['State']['Pid']}/ns/net")


def test_what_is_shared(shared: Host) -> None:
    """Interfaces, names, files, the host name; not processes, and the files are one: a change is seen in both."""
    assert sandbox_of(shared, "guest") == sandbox_of(shared, "web")
    assert addresses(shared, "guest") == addresses(shared, "web")
    for line in ("cat /etc/hosts", "cat /etc/resolv.conf", "hostname", "dig +short web"):
        assert inside(shared, "guest", line) == inside(shared, "web", line) != ""
    inside(shared, "guest", "echo '192.0.2.7 seen' >> /etc/hosts")
    assert "192.0.2.7 seen" in inside(shared, "web", "cat /etc/hosts")
    assert inside(shared, "guest", "echo /proc/[0-9]*") != inside(shared, "web", "echo /proc/[0-9]*")


def test_it_is_on_no_network_of_its_own(shared: Host) -> None:
    """Seen in no network's inspection, publishes nothing, holds no address; `inspect` and `ps` say whose it is."""
    web = inspected(shared, "web")["Id"]
    (ant,) = json.loads(shared.minidock("net", "inspect", "ant").stdout)
    assert list(ant["Containers"]) == [web]
    guest = inspected(shared, "guest")
    settings = guest["NetworkSettings"]
    assert (guest["HostConfig"]["NetworkMode"], settings["Networks"], settings["Ports"]) == (f"container:{web}", {}, {})
    assert shared.minidock("ps", "-f", "name=guest", "--format", "{{.Ports}}|").stdout == "|\n"
    assert shared.minidock("port", "guest").stdout == ""


def test_it_follows_its_owner_s_networks(shared: Host) -> None:
    create(shared, "bee")
    shared.minidock("net", "connect", "bee", "web")
    shared.minidock("net", "disconnect", "dog", "web")
    assert addresses(shared, "guest") == addresses(shared, "web") == {"eth0": ["10.1.0.2/24"], "eth2": ["10.2.0.2/24"]}


def test_a_guest_of_a_guest(shared: Host) -> None:
    up(shared, "third", ["container:guest"])
    assert sandbox_of(shared, "third") == sandbox_of(shared, "web")
    shared.minidock("rm", "-f", "guest")
    assert addresses(shared, "third") == addresses(shared, "web")


def test_guests_go_and_the_owner_stays(shared: Host) -> None:
    before = addresses(shared, "web")
    shared.minidock("rm", "-f", "guest")
    assert shared.minidock("run", "--rm", "--net", "container:web", "hostname").stdout == "box\n"
    assert addresses(shared, "web") == before
    assert shared.minidock("system", "repair").stdout == "nothing to repair\n"


@pytest.mark.parametrize("end", [["stop", "-t", "0", "web"], ["rm", "-f", "web"], ["kill", "web"]], ids=" ".join)
def test_the_guest_outlives_its_owner_in_a_dead_sandbox(shared: Host, end: list[str]) -> None:
    """Its process goes on, with loopback only; nothing of the owner's is left on the host."""
    pid = inspected(shared, "guest")["State"]["Pid"]
    shared.minidock(*end)
    if end[0] == "kill":
        shared.minidock("wait", "web")
    assert inspected(shared, "guest")["State"]["Pid"] == pid
    left = until(lambda: shared.shell(f"ls /proc/{pid}/root/sys/class/net").split(), lambda names: names == ["lo"])
    assert left == ["lo"]  # links may die a moment after the command
    assert addresses(shared, "guest") == {}
    assert "veth" not in shared.shell("ip -o link")
    assert shared.picture()["sockets"] == []
    refused = shared.minidock("run", "--rm", "--net", "container:web", "true", check=False)
    assert refused.returncode == 125
    shared.minidock("rm", "-f", "guest")


def test_after_its_owner_s_restart_the_guest_must_be_restarted_too(shared: Host) -> None:
    """The owner's sandbox is a new one (§8); a restart brings the guest there."""
    shared.minidock("restart", "-t", "0", "web")
    assert addresses(shared, "guest") == {} != addresses(shared, "web")
    assert sandbox_of(shared, "guest") != sandbox_of(shared, "web")
    shared.minidock("restart", "-t", "0", "guest")
    assert sandbox_of(shared, "guest") == sandbox_of(shared, "web")
    assert addresses(shared, "guest") == addresses(shared, "web")


def test_a_guest_does_not_start_without_its_owner(shared: Host) -> None:
    shared.minidock("stop", "-t", "0", "guest", "web")
    before = shared.picture()
    refused = shared.minidock("start", "guest", check=False)
    assert "cannot join network namespace of a non running container: container web is" in refused.stderr
    assert shared.picture() == before
    shared.minidock("start", "web", "guest")
    assert addresses(shared, "guest") == addresses(shared, "web")
    shared.minidock("rm", "-f", "web")
    shared.minidock("stop", "-t", "0", "guest")
    assert shared.minidock("start", "guest", check=False).returncode == 3


def test_a_guest_of_the_host_and_of_none(host: Host) -> None:
    up(host, "on-host", ["host"])
    up(host, "quiet", ["none"])
    for owner in ("on-host", "quiet"):
        up(host, f"guest-{owner}", [f"container:{owner}"])
        assert sandbox_of(host, f"guest-{owner}") == sandbox_of(host, owner)
    assert sandbox_of(host, "guest-on-host") == os.readlink("/proc/self/ns/net")
    assert addresses(host, "guest-quiet") == {}
    assert attached(host, "guest-quiet") == {}


def test_a_mac_address_is_ignored(shared: Host) -> None:
    """As in Docker (§14), silently."""
    done = shared.minidock("run", "--rm", "--net", "container:web", "--mac-address", "02:42:0a:01:00:09", "cat",
                           "/sys/class/net/eth0/address")
    assert (done.stdout, done.stderr) == (inside(shared, "web", "cat /sys/class/net/eth0/address"), "")
