"""`net inspect` and `inspect`: Docker's JSON, keys and values."""

from __future__ import annotations

from typing import Any

from minidock import ipam
from minidock.model.container import Container, End, Run
from minidock.model.lease import FOREVER, Lease
from minidock.model.network import Attachment, Endpoint, Network, Pool
from minidock.model.ports import PortSpec, exposed_by, parse, span
from minidock.views.ports import natural
from minidock.views.table import stamp

_NEVER = "0001-01-01T00:00:00Z"


def network(net: Network, attached: list[tuple[Endpoint, str]]) -> dict[str, Any]:
    """One network with its attachments (endpoint, container name)."""
    return {
        "Name": net.name,
        "Id": net.id,
        "Created": net.created,
        "Scope": "local",
        "Driver": net.driver,
        "EnableIPv4": net.ipv4,
        "EnableIPv6": net.ipv6,
        "IPAM": {"Driver": net.ipam, "Options": None if net.name in ("bridge", "host", "none") else {},
                 "Config": [_pool(pool) for pool in net.pools] or None},
        "Internal": net.internal,
        "Attachable": net.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Options": dict(net.options),
        "Labels": dict(net.labels),
        "Containers": {end.container: _attachment(end, name) for end, name in attached},
        "Status": {"IPAM": {"Subnets": {str(pool.subnet): _usage(pool, attached) for pool in net.pools}}},
    }


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "Subnet": str(pool.subnet),
        **({"IPRange": str(pool.ip_range)} if pool.ip_range else {}),
        **({"Gateway": str(pool.gateway)} if pool.gateway else {}),
        **({"AuxiliaryAddresses": {name: str(address) for name, address in pool.aux}} if pool.aux else {}),
    }


def _attachment(end: Endpoint, name: str) -> dict[str, str]:
    return {"Name": name, "EndpointID": end.id, "MacAddress": end.guest_mac if end.interfaces else "",
            "IPv4Address": str(end.address or ""), "IPv6Address": str(end.address6 or "")}


def _usage(pool: Pool, attached: list[tuple[Endpoint, str]]) -> dict[str, int]:
    held = [int(one.ip) for end, _ in attached for one in end.interfaces if one.version == pool.subnet.version]
    used, left = ipam.usage(pool, held)
    return {"IPsInUse": used, "DynamicIPsAvailable": left}


def status(run: Run | None, end: End | None) -> str:
    """created, running or exited."""
    if run and run.state == "running":
        return "running"
    return "exited" if end and end.started else "created"


def container(con: Container, run: Run | None, end: End | None, endpoints: list[tuple[Endpoint, Network]],
              directory: str) -> dict[str, Any]:
    """One container."""
    return {
        "Id": con.id,
        "Created": con.created,
        "Path": con.argv[0],
        "Args": list(con.argv[1:]),
        "State": _state(run, end),
        "Image": "",
        "ResolvConfPath": f"{directory}/resolv.conf",
        "HostnamePath": f"{directory}/hostname",
        "HostsPath": f"{directory}/hosts",
        "LogPath": f"{directory}/log",
        "Name": f"/{con.name}",
        "RestartCount": 0,
        "Driver": "host" if not con.rootfs else "rootfs",
        "Platform": "linux",
        "ExecIDs": None,
        "HostConfig": _host_config(con),
        "Mounts": [{"Type": "bind", "Source": bind.source, "Destination": bind.target, "Mode":
                    "ro" if bind.read_only else "", "RW": not bind.read_only, "Propagation": "rprivate"}
                   for bind in con.binds],
        "Config": _config(con),
        "NetworkSettings": _network_settings(con, run, endpoints),
    }


def _state(run: Run | None, end: End | None) -> dict[str, Any]:
    word = status(run, end)
    running = word == "running"
    return {
        "Status": word, "Running": running, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False,
        "Pid": run.pid if run and running else 0,
        "ExitCode": end.exit_code if end and not running else 0,
        "Error": end.error if end and not running else "",
        "StartedAt": (end.started if end else "") or _NEVER,
        "FinishedAt": (end.finished if end and not running else "") or _NEVER,
    }


def _host_config(con: Container) -> dict[str, Any]:
    return {
        "Binds": [f"{bind.source}:{bind.target}{':ro' if bind.read_only else ''}" for bind in con.binds] or None,
        "NetworkMode": con.network_mode,
        "PortBindings": _asked_ports(con),
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": con.auto_remove,
        "CapAdd": list(con.cap_add) or None,
        "CapDrop": list(con.cap_drop) or None,
        "Dns": list(con.dns), "DnsOptions": list(con.dns_options), "DnsSearch": list(con.dns_search),
        "ExtraHosts": list(con.extra_hosts) or None, "Links": _legacy_links(con),
        "IpcMode": "private", "PidMode": "", "UTSMode": con.uts, "UsernsMode": "",
        "Privileged": con.privileged,
        "PublishAllPorts": con.publish_all,
        "ReadonlyRootfs": False,
        "Sysctls": dict(con.sysctls) or None,
        "ShmSize": 64 << 20,
        "Init": con.init,
    }


def _legacy_links(con: Container) -> list[str] | None:
    """Those of the default network, as /TARGET:/NAME/ALIAS."""
    words = [word.partition(":") for item in con.attachments if item.name == "bridge" for word in item.links]
    return [f"/{target}:/{con.name}/{alias or target}" for target, _, alias in words] or None


def _config(con: Container) -> dict[str, Any]:
    return {
        "Hostname": con.hostname, "Domainname": con.domainname, "User": con.user,
        "AttachStdin": False, "AttachStdout": True, "AttachStderr": True,
        **_exposed(con), "Tty": con.tty, "OpenStdin": con.stdin_open, "StdinOnce": False,
        "Env": list(con.env), "Cmd": list(con.argv), "Image": "", "Volumes": None,
        "WorkingDir": con.cwd, "Entrypoint": None, "Labels": dict(con.labels),
    }


def _network_settings(con: Container, run: Run | None, endpoints: list[tuple[Endpoint, Network]]) -> dict[str, Any]:
    running = run is not None and run.state == "running"
    attached = {net.id: (end, net) for end, net in endpoints}
    networks = {net.name: _endpoint(con, con.asked_of(end), end) for end, net in endpoints} if running else \
        {item.name: _endpoint(con, item, None) for item in con.attachments if item.network not in attached}
    return {
        "SandboxID": con.id if running and con.netns else "",
        "SandboxKey": f"/run/netns/{con.netns}" if running and con.netns else "",
        "Ports": _ports(con, [end for end, _ in endpoints]) if running else {},
        "Networks": networks,
    }


def _ports(con: Container, endpoints: list[Endpoint]) -> dict[str, list[dict[str, str]] | None]:
    """Every exposed port of an attachment with addresses, and where the host offers it (null: nowhere)."""
    if not any(end.interfaces for end in endpoints):
        return {}
    found: dict[str, list[dict[str, str]] | None] = dict.fromkeys(map(str, exposed_by(con.ports, con.expose)))
    for single in (single for end in endpoints for binding in end.ports for single in binding.each):
        offered = {"HostIp": str(single.host_ip) if single.host_port else "",
                   "HostPort": str(single.host_port or "")}
        name = f"{single.port}/{single.proto}"
        found[name] = [*(found.get(name) or ()), offered]
    return {name: found[name] for name in sorted(found, key=natural)}


def _asked_ports(con: Container) -> dict[str, list[dict[str, str]]]:
    """What -p asked for, port by port."""
    found: dict[str, list[dict[str, str]]] = {}
    for spec in map(parse, con.ports):
        for step, port in enumerate(spec.ports):
            found.setdefault(str(port), []).append({"HostIp": str(spec.host_ip or ""), "HostPort": _host(spec, step)})
    return found


def _host(spec: PortSpec, step: int) -> str:
    """A range for one port of the container stays one: the first free port of it."""
    if not spec.host_first:
        return ""
    return span(spec.host_first, spec.host_last) if spec.first == spec.last else str(spec.host_first + step)


def _exposed(con: Container) -> dict[str, Any]:
    ports = exposed_by(con.ports, con.expose)
    return {"ExposedPorts": {str(port): {} for port in ports}} if ports else {}


def _endpoint(con: Container, asked: Attachment, end: Endpoint | None) -> dict[str, Any]:
    """One attachment: what was asked of the network, and what the container has there while it runs."""
    has = end if end and end.interfaces else None
    four, six = (has.address, has.address6) if has else (None, None)
    return {
        "IPAMConfig": _asked_addresses(asked),
        "Links": list(asked.links) or None, "Aliases": list(asked.aliases) or None,
        "DriverOpts": dict(asked.options) or None, "GwPriority": asked.gw_priority,
        "NetworkID": asked.network,
        "EndpointID": end.id if end else "",
        "Gateway": str(has.gateway or "") if has else "",
        "IPAddress": str(four.ip) if four else "",
        "MacAddress": has.guest_mac if has else asked.mac,
        "IPPrefixLen": four.network.prefixlen if four else 0,
        "IPv6Gateway": str(has.gateway6 or "") if has else "",
        "GlobalIPv6Address": str(six.ip) if six else "",
        "GlobalIPv6PrefixLen": six.network.prefixlen if six else 0,
        "DNSNames": list(con.dns_names(asked)) if has else None,
        **({"Lease": _lease(end.lease if has else None)} if end and end.leases else {}),
    }


def _lease(lease: Lease | None) -> dict[str, Any] | None:
    """What a DHCP server has lent; its times count from 1970 here."""
    if lease is None:
        return None
    ends = {"Renewal": lease.renew_seconds, "Rebinding": lease.rebind_seconds, "Expiry": lease.seconds}
    return {"Server": str(lease.server), "Obtained": stamp(lease.begun),
            **{name: None if seconds == FOREVER else stamp(lease.begun + seconds) for name, seconds in ends.items()},
            "NameServers": [str(one) for one in lease.name_servers], "Domain": lease.domain}


def _asked_addresses(asked: Attachment) -> dict[str, Any] | None:
    found = {"IPv4Address": asked.ip, "IPv6Address": asked.ip6, "LinkLocalIPs": list(asked.link_local)}
    return {key: value for key, value in found.items() if value} or None
