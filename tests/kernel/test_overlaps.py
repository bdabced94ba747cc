"""A network whose addresses the host uses too is made, as Docker does; and told, as Docker does not."""

from __future__ import annotations

import shlex

import pytest

from tests.ground import COMMAND, Host

ANOTHER = "hint: unless that is meant, give another --subnet, or none: minidock then finds a free one\n"


@pytest.mark.parametrize(("subnet", "told"), [
    ("198.51.100.0/24", "is also that"),
    ("198.51.100.0/25", "overlaps 198.51.100.0/24"),
    ("198.51.0.0/16", "overlaps 198.51.100.0/24"),
    ("198.51.101.0/24", ""),
    ("203.0.113.0/24", ""),  # by the gateway, not on the link
])
def test_the_uplink_s_subnet(subnet: str, told: str, host: Host, outside: str) -> None:
    done = host.minidock("net", "create", "lan", "--subnet", subnet)
    warning = (f"WARNING: subnet {subnet} {told} of device up0: this host will miss neighbours there, or containers"
               f" here\n{ANOTHER}")
    assert done.stderr == (warning if told else "")
    assert len(done.stdout) == 65


def test_a_rehearsal_tells_too(host: Host, outside: str) -> None:
    done = host.minidock("net", "create", "lan", "--dry-run", "--subnet", "198.51.100.0/24")
    assert "device up0" in done.stderr


def test_neighbouring_networks_are_no_matter(host: Host) -> None:
    """Each has an on-link route of its own; an adopted bridge's is the network's own too."""
    host.shell("ip link add own type bridge; ip addr add 172.30.0.1/16 dev own; ip link set own up")
    option = "com.docker.network.bridge.name=own"
    for words in (("one",), ("two", "--subnet", "172.28.0.0/16"), ("three", "--subnet", "172.30.0.0/16", "-o", option)):
        assert host.minidock("net", "create", *words).stderr == "", words


@pytest.mark.parametrize(("text", "told"), [
    ("nameserver 172.28.7.53\nnameserver 2001:db8::53\n", True),
    ("nameserver 172.29.7.53\nnameserver nonsense\n", False),
])
def test_a_name_server_in_the_subnet(text: str, told: bool, host: Host) -> None:
    """The file stands in the place of /etc/resolv.conf for this command only."""
    (host.directory / "resolv.conf").write_text(text)
    words = shlex.join([*COMMAND, "net", "create", "lan", "--subnet", "172.28.0.0/16"])
    seen = host.shell(f"unshare -m bash -ec 'real=$(realpath -m /etc/resolv.conf); mkdir -p ${{real%/*}}; touch $real;"
                      f" mount --bind {host.directory}/resolv.conf $real; {words}' 2>&1")
    device = host.shell("ls /sys/class/net >/dev/null; ip -o link show group 7777 | cut -d: -f2").strip()
    warning = (f"WARNING: name server 172.28.7.53 of /etc/resolv.conf lies in subnet 172.28.0.0/16: this host now"
               f" looks for it on {device}\n{ANOTHER}")
    assert (warning in seen) == told == ("WARNING" in seen)
