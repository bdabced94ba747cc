"""How published ports are shown: `port`, the PORTS of `ps`, `inspect`; what is said of those that come to nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ground import COMMAND, Host

NO_RELAY = ("-o", "com.docker.network.bridge.ipv6_relay=false")  # tests/wire/test_relay_ports.py has IPv6
OPTION = "com.docker.network.bridge."


@pytest.fixture
def br0(host: Host) -> Host:
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", *NO_RELAY)
    return host


def run(host: Host, name: str, flags: str) -> str:
    """Start a container that sleeps; what is said on standard error."""
    return host.minidock("run", "-d", "--name", name, *flags.split(), "sleep", "100").stderr


def inspected(host: Host, name: str) -> dict[str, Any]:
    (found,) = json.loads(host.minidock("inspect", name).stdout)
    assert isinstance(found, dict)
    return found


def shown(host: Host, name: str) -> str:
    """The PORTS of ps."""
    return host.minidock("ps", "-a", "-f", f"name={name}", "--format", "{{.Ports}}").stdout.rstrip("\n")


def test_port_and_ps(br0: Host) -> None:
    """All bindings, one of them; after a stop none, after a start again."""
    run(br0, "web", "--net br0 -p 8080:80 -p 127.0.0.1:8081:80 -p 53:53/udp -p 9000-9019:7000-7019 --expose 99")
    every = ["53/udp -> 0.0.0.0:53", "80/tcp -> 0.0.0.0:8080", "80/tcp -> 127.0.0.1:8081",
             *(f"{port}/tcp -> 0.0.0.0:{port + 2000}" for port in range(7000, 7020))]
    assert br0.minidock("port", "web").stdout.splitlines() == every
    assert br0.minidock("port", "web", "80").stdout == "0.0.0.0:8080\n127.0.0.1:8081\n"
    assert br0.minidock("port", "web", "7019/tcp").stdout == "0.0.0.0:9019\n"
    assert br0.minidock("port", "web", "53", check=False).returncode == 3
    column = shown(br0, "web")
    assert column.startswith("0.0.0.0:53->53/udp, 99/tcp, 0.0.0.0:8080->80/tcp, 127.0.0.1:8081->80/tcp, 0.0.0.0:9000->")
    br0.minidock("stop", "-t", "0", "web")
    assert br0.minidock("port", "web").stdout == shown(br0, "web") == ""
    br0.minidock("start", "web")
    assert br0.minidock("port", "web").stdout.splitlines() == every


def test_inspect(br0: Host) -> None:
    """As asked for (HostConfig), as exposed (Config), as offered now (NetworkSettings): docker-behaviour.md §11.1."""
    run(br0, "web", "--net br0 -p 8080:80 -p 127.0.0.1::80 -p 5000-5001:53-54/udp -p 8000-8009:81 --expose 99")
    first = br0.shell("cut -f1 /proc/sys/net/ipv4/ip_local_port_range").strip()
    web = inspected(br0, "web")
    assert web["NetworkSettings"]["Ports"] == {
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "5000"}], "54/udp": [{"HostIp": "0.0.0.0", "HostPort": "5001"}],
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": first}],
        "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}], "99/tcp": None}
    assert web["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": ""}],
        "53/udp": [{"HostIp": "", "HostPort": "5000"}], "54/udp": [{"HostIp": "", "HostPort": "5001"}],
        "81/tcp": [{"HostIp": "", "HostPort": "8000-8009"}]}
    assert web["HostConfig"]["PublishAllPorts"] is False
    assert web["Config"]["ExposedPorts"] == {key: {} for key in ("99/tcp", "80/tcp", "53/udp", "54/udp", "81/tcp")}
    br0.minidock("stop", "-t", "0", "web")
    assert inspected(br0, "web")["NetworkSettings"]["Ports"] == {}
    run(br0, "plain", "--net br0")
    plain = inspected(br0, "plain")
    assert plain["NetworkSettings"]["Ports"] == plain["HostConfig"]["PortBindings"] == {}
    assert "ExposedPorts" not in plain["Config"]


def test_routed_ports_are_opened_but_nowhere_on_the_host(host: Host) -> None:
    host.minidock("net", "create", "br0", "-o", f"{OPTION}gateway_mode_ipv4=routed", *NO_RELAY)
    run(host, "one", "--net br0 -p 8080:80")
    run(host, "two", "--net br0 -p 8080:80")  # no host port, no clash
    assert inspected(host, "one")["NetworkSettings"]["Ports"] == {"80/tcp": [{"HostIp": "", "HostPort": ""}]}
    assert shown(host, "one") == "80/tcp"
    assert host.minidock("port", "one").stdout == ""


REACHED = "0.0.0.0:8080->80/tcp: reached by this host, containers of br0\n"


@pytest.mark.parametrize(("net", "warned", "column"), [
    ("--net host", "WARNING: Published ports are discarded when using host network mode\n", ""),
    ("--net none", "WARNING: Published ports are discarded: network none has no way in\n", ""),
    ("--net quiet", "WARNING: Published ports are discarded: network quiet is internal\n", "80/tcp"),
    ("--net br0", "", "0.0.0.0:8080->80/tcp"),
])
def test_ports_that_come_to_nothing_are_told(br0: Host, net: str, warned: str, column: str) -> None:
    """The container runs all the same, and no socket is bound; br0 is the control."""
    br0.minidock("net", "create", "quiet", "--internal", "--subnet", "172.29.0.0/16")
    told = run(br0, "web", f"{net} -p 8080:80")
    assert told == warned if warned else told.startswith(REACHED)
    assert shown(br0, "web") == column
    assert br0.picture()["sockets"] == ([] if warned else ["tcp 0.0.0.0:8080"])
    create = ("create", "--name", "later", *net.split(), "-p", "8081:80", "true")
    assert br0.minidock(*create).stderr == warned


def test_the_default_address_of_a_network(host: Host) -> None:
    """host_binding_ipv4, unless -p names another one."""
    host.minidock("net", "create", "br0", "-o", f"{OPTION}host_binding_ipv4=127.0.0.1")
    run(host, "web", "--net br0 -p 8080:80 -p 0.0.0.0:8081:80")
    assert shown(host, "web") == "0.0.0.0:8081->80/tcp, 127.0.0.1:8080->80/tcp"
    assert host.picture()["sockets"] == ["tcp 0.0.0.0:8081", "tcp 127.0.0.1:8080"]


def test_too_many_ports_for_the_limit_of_open_files(br0: Host) -> None:
    """One sentence, and nothing is left of the attempt; with fewer ports it works."""
    before = br0.picture()
    words = "run --rm --net br0 -p {0}:{0} true"
    limited = f"ulimit -n 200; {' '.join(COMMAND)} " + words
    told = br0.shell(f"({limited.format('3000-3299')}) 2>&1; true")
    assert "300 ports need as many" in told and "ulimit -n" in told
    assert br0.settled(before) == before
    done = br0.shell(f"({limited.format('3000-3099')}) 2>&1")
    assert done.startswith("0.0.0.0:3000-3099->3000-3099/tcp: reached by this host, containers of br0\n")
