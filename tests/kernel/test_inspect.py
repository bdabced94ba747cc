"""inspect's JSON, key by key: docker-behaviour.md §1.3 (networks) and §11.1 (containers)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.ground import Host

RFC3339_NANOS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
HEX64 = re.compile(r"[0-9a-f]{64}")
NEVER = "0001-01-01T00:00:00Z"
PREFIX = "com.docker.network."


def inspected(host: Host, *words: str) -> dict[str, Any]:
    """The one object that a command prints."""
    (found,) = json.loads(host.minidock(*words).stdout)
    assert isinstance(found, dict)
    return found


def test_a_network_key_by_key(host: Host) -> None:
    """Every key of §1.3, in its order, with the effective pool and the running attachments only."""
    created = host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "--ip-range", "172.28.5.0/24",
                            "--gateway", "172.28.5.254", "--aux-address", "printer=172.28.5.9", "--label", "a=b",
                            "-o", f"{PREFIX}driver.mtu=1400").stdout.strip()
    container = host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100").stdout.strip()
    host.minidock("create", "--name", "idle", "--net", "br0", "true")
    net = inspected(host, "net", "inspect", "br0")
    attached = net["Containers"].pop(container)
    assert HEX64.fullmatch(attached.pop("EndpointID")) and RFC3339_NANOS.fullmatch(net.pop("Created"))
    assert attached == {
        "Name": "web", "IPv4Address": "172.28.5.0/16", "IPv6Address": "",
        "MacAddress": host.minidock("exec", "web", "cat", "/sys/class/net/eth0/address").stdout.strip()}
    assert net == {
        "Name": "br0", "Id": created, "Scope": "local", "Driver": "bridge", "EnableIPv4": True, "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [
            {"Subnet": "172.28.0.0/16", "IPRange": "172.28.5.0/24", "Gateway": "172.28.5.254",
             "AuxiliaryAddresses": {"printer": "172.28.5.9"}}]},
        "Internal": False, "Attachable": False, "Ingress": False, "ConfigFrom": {"Network": ""}, "ConfigOnly": False,
        "Containers": {}, "Options": {f"{PREFIX}driver.mtu": "1400"}, "Labels": {"a": "b"},
        # network, broadcast, gateway, printer and web; of the range's 256 all but gateway, printer and web
        "Status": {"IPAM": {"Subnets": {"172.28.0.0/16": {"IPsInUse": 5, "DynamicIPsAvailable": 253}}}},
    }
    assert inspected(host, "inspect", "br0") == inspected(host, "net", "inspect", created[:12])


def test_the_worked_case_of_usage(host: Host) -> None:
    """moby's own test: range .64/31, gateway .1, reserved .65 and .128: 5 in use, 1 left; with a container 6 and 0."""
    host.minidock("net", "create", "small", "--subnet", "192.168.0.0/24", "--ip-range", "192.168.0.64/31",
                  "--gateway", "192.168.0.1", "--aux-address", "a=192.168.0.65,b=192.168.0.128")

    def usage() -> dict[str, int]:
        subnets = inspected(host, "net", "inspect", "small")["Status"]["IPAM"]["Subnets"]
        return dict(subnets["192.168.0.0/24"])

    assert usage() == {"IPsInUse": 5, "DynamicIPsAvailable": 1}
    host.minidock("run", "-d", "--name", "web", "--net", "small", "sleep", "100")
    assert usage() == {"IPsInUse": 6, "DynamicIPsAvailable": 0}
    host.minidock("rm", "-f", "web")
    assert usage() == {"IPsInUse": 5, "DynamicIPsAvailable": 1}


def test_the_predefined_networks(host: Host) -> None:
    """bridge with docker0's options under our device's name; host and none without a pool."""
    bridge = inspected(host, "net", "inspect", "bridge")
    assert bridge["Options"] == {f"{PREFIX}{key}": value for key, value in {
        "bridge.default_bridge": "true", "bridge.enable_icc": "true", "bridge.enable_ip_masquerade": "true",
        "bridge.host_binding_ipv4": "0.0.0.0", "bridge.name": "minidock0", "driver.mtu": "1500"}.items()}
    assert bridge["IPAM"]["Config"] == [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]
    for name, driver in (("host", "host"), ("none", "null")):
        net = inspected(host, "net", "inspect", name)
        assert (net["Driver"], net["IPAM"]["Config"], net["Options"]) == (driver, None, {})
    host.minidock("run", "-d", "--name", "alone", "--net", "none", "sleep", "100")
    (attached,) = inspected(host, "net", "inspect", "none")["Containers"].values()
    assert (attached["Name"], attached["IPv4Address"], attached["MacAddress"]) == ("alone", "", "")


def test_a_missing_one_does_not_hide_the_others(host: Host) -> None:
    """Found ones are printed, the missing one is told, the exit code is not 0."""
    host.minidock("net", "create", "br0")
    done = host.minidock("net", "inspect", "nosuch", "br0", check=False)
    assert [net["Name"] for net in json.loads(done.stdout)] == ["br0"]
    assert done.returncode == 3 and "network nosuch not found" in done.stderr


@pytest.fixture
def web(host: Host) -> dict[str, Any]:
    """A running container with much of what can be configured."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "--ip", "172.28.0.7", "--init", "-e", "A=1",
                  "-l", "k=v", "-v", "/etc:/mnt:ro", "--sysctl", "net.ipv4.ip_forward=0", "-u", "1000:1000",
                   "-w", "/usr",
                  "-w", "/usr", "--cap-add", "NET_ADMIN", "--cap-drop", "KILL", "sleep", "100")
    return inspected(host, "inspect", "web")


def test_a_container_s_own_part(web: dict[str, Any]) -> None:
    """Who it is, what it runs."""
    assert HEX64.fullmatch(web["Id"]) and RFC3339_NANOS.fullmatch(web["Created"])
    assert (web["Path"], web["Args"], web["Name"], web["RestartCount"]) == ("sleep", ["100"], "/web", 0)
    for key, file in (("ResolvConfPath", "resolv.conf"), ("HostnamePath", "hostname"), ("HostsPath", "hosts"),
                      ("LogPath", "log")):
        assert web[key].endswith(f"/containers/{web['Id'][:12]}/{file}")
        with open(web[key]) as opened:
            assert file != "hostname" or opened.read() == f"{web['Id'][:12]}\n"


def test_a_container_s_state(host: Host, web: dict[str, Any]) -> None:
    """While it runs, and after it."""
    state = web["State"]
    assert {key: state[key] for key in ("Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "ExitCode",
                                        "Error", "FinishedAt")} == {
        "Status": "running", "Running": True, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False,
        "ExitCode": 0, "Error": "", "FinishedAt": NEVER}
    assert host.shell(f"readlink /proc/{state['Pid']}/ns/net").strip() == \
        host.minidock("exec", "web", "readlink", "/proc/self/ns/net").stdout.strip()
    assert RFC3339_NANOS.fullmatch(state["StartedAt"])
    host.minidock("kill", "web")
    state = inspected(host, "inspect", "web")["State"]
    assert (state["Status"], state["Running"], state["Pid"], state["ExitCode"]) == ("exited", False, 0, 137)
    assert state["StartedAt"] < state["FinishedAt"] and RFC3339_NANOS.fullmatch(state["FinishedAt"])
    host.minidock("create", "--name", "new", "--net", "br0", "true")
    state = inspected(host, "inspect", "new")["State"]
    assert (state["Status"], state["StartedAt"], state["FinishedAt"]) == ("created", NEVER, NEVER)


def test_a_container_s_configuration(web: dict[str, Any]) -> None:
    """HostConfig, Config and Mounts as docker's keys."""
    wanted = {"Binds": ["/etc:/mnt:ro"], "NetworkMode": "br0", "AutoRemove": False, "CapAdd": ["NET_ADMIN"],
              "CapDrop": ["KILL"], "Privileged": False, "PublishAllPorts": False, "PortBindings": {}, "Init": True,
              "Sysctls": {"net.ipv4.ip_forward": "0"}, "Dns": [], "DnsOptions": [], "DnsSearch": []}
    assert {key: web["HostConfig"][key] for key in wanted} == wanted
    wanted = {"Hostname": web["Id"][:12], "Domainname": "", "User": "1000:1000", "Env": ["A=1"],
              "Cmd": ["sleep", "100"], "WorkingDir": "/usr", "Labels": {"k": "v"}, "Tty": False, "OpenStdin": False}
    assert {key: web["Config"][key] for key in wanted} == wanted
    assert "MacAddress" not in web["Config"]  # gone with API 1.52
    assert [(one["Source"], one["Destination"], one["RW"]) for one in web["Mounts"]] == [("/etc", "/mnt", False)]


def test_a_container_s_network_settings(host: Host, web: dict[str, Any]) -> None:
    """§11.1: only these keys; every value as the kernel has it; all empty once it is stopped."""
    settings = web["NetworkSettings"]
    assert set(settings) == {"SandboxID", "SandboxKey", "Ports", "Networks"}
    with open(settings["SandboxKey"]):
        pass
    end = settings["Networks"].pop("br0")
    assert settings["Networks"] == {} and settings["Ports"] == {}
    net = inspected(host, "net", "inspect", "br0")
    assert end == {
        "IPAMConfig": {"IPv4Address": "172.28.0.7"}, "Links": None, "Aliases": None, "DriverOpts": None,
        "GwPriority": 0, "NetworkID": net["Id"], "EndpointID": net["Containers"][web["Id"]]["EndpointID"],
        "Gateway": "172.28.0.1", "IPAddress": "172.28.0.7", "IPPrefixLen": 16,
        "MacAddress": host.minidock("exec", "web", "cat", "/sys/class/net/eth0/address").stdout.strip(),
        "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": ["web", web["Id"][:12]]}
    host.minidock("stop", "-t", "0", "web")
    stopped = inspected(host, "inspect", "web")["NetworkSettings"]
    assert (stopped["SandboxID"], stopped["SandboxKey"]) == ("", "")
    end = stopped["Networks"]["br0"]
    assert (end["IPAddress"], end["Gateway"], end["MacAddress"], end["IPPrefixLen"], end["EndpointID"]) == \
        ("", "", "", 0, "")
