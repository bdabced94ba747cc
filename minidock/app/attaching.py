"""What a container asks of its networks: --network in both forms, and the flags that mean the first of them.

    --network front                       short
    --network name=front,ip=172.28.0.9    long: one record of comma separated values

Checked in Docker's words (docker-behaviour.md §1.4, §2.1); nothing is leased or made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from minidock import ipam
from minidock.app.context import App
from minidock.errors import BadRequest
from minidock.model.network import OPTION_PREFIX, PREDEFINED, Attachment, Network

ENDPOINT_OPTIONS = ("endpoint.ifname", "endpoint.sysctls")
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\Z")
_LONG = re.compile(r"\w+=\w+")
_ONE = {"ip": "ip", "ip6": "ip6", "mac-address": "mac"}
_MANY = {"alias": "aliases", "link-local-ip": "link_local"}
_FLAGS = {"ip": ("--ip", "IPv4 address"), "ip6": ("--ip6", "IPv6 address"), "mac": ("--mac-address", "MAC address"),
          "aliases": ("--network-alias", "alias"), "links": ("--link", "links"),
          "link_local": ("--link-local-ip", "link-local IP addresses")}


def parse(words: Sequence[str], flags: Attachment) -> tuple[Attachment, ...]:
    """The attachments that the --network words ask for; `flags` holds what --ip and so on say of the first.

    `container:NAME` asks for none of its own: one attachment whose name says so.
    """
    found = [_parse_one(word) for word in words or ("bridge",)]
    found[0] = _with_flags(found[0], flags)
    own = [item.name for item in found if not _user_defined(item.name)]
    if own and len(found) > 1:
        raise BadRequest("conflicting options: cannot attach both user-defined and non-user-defined network-modes",
                         f"{own[0]} cannot be combined; give networks that you made")
    names = [item.name for item in found]
    for name in names:
        if names.count(name) > 1:
            raise BadRequest(f'network "{name}" is specified multiple times', "give each network once")
    return tuple(found)


def _user_defined(name: str) -> bool:
    return name not in (*PREDEFINED, "default") and not name.startswith("container:")


def _parse_one(word: str) -> Attachment:
    if word and (not _LONG.search(word) or word.startswith("container:")):
        return Attachment("", word)
    given: dict[str, list[str]] = {}
    for field in _fields(word):
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if not equals:
            raise BadRequest(f"invalid field {field}", "write it as KEY=VALUE: name=mynet,ip=172.28.0.9")
        if key not in ("name", "driver-opt", "gw-priority", *_ONE, *_MANY):
            raise BadRequest(f"invalid field key {key}", "the keys are name, alias, ip, ip6, mac-address,"
                             " link-local-ip, driver-opt, gw-priority")
        given.setdefault(key, []).append(value.strip())
    if not given.get("name", [""])[-1]:
        raise BadRequest("network name/id is not specified", "name it: --network name=mynet,ip=…")
    return _record(given)


def _fields(word: str) -> list[str]:
    """One record of comma separated values, quoted as in RFC 4180."""
    import csv  # rarely used

    try:
        return next(csv.reader([word], strict=True), [])
    except csv.Error as error:
        raise BadRequest(f"invalid network record {word}: {error}", 'quote a value with commas whole: "alias=a,b"'
                         ) from error


def _record(given: dict[str, list[str]]) -> Attachment:
    found = Attachment("", given["name"][-1], gw_priority=priority(given.get("gw-priority", ["0"])[-1]),
                       options=driver_options(given.get("driver-opt", ())))
    found = found.but(**{field: given[key][-1] for key, field in _ONE.items() if key in given})
    return found.but(**{field: tuple(given[key]) for key, field in _MANY.items() if key in given})


def priority(text: str) -> int:
    """A --gw-priority."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise BadRequest(f'invalid gw-priority ({text}): strconv.Atoi: parsing "{text}": invalid syntax',
                         "a number; the highest wins, 0 is usual")
    return int(text)


def driver_options(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """--driver-opt KEY=VALUE words."""
    pairs = [word.partition("=") for word in words]
    if not all(key and equals for key, equals, _ in pairs):
        raise BadRequest("invalid key/value pair format in driver options",
                         f"as {OPTION_PREFIX}endpoint.ifname=lan0")
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


def _with_flags(first: Attachment, flags: Attachment) -> Attachment:
    """The first network with what the flags say; both ways at once is refused."""
    for field, (flag, words) in _FLAGS.items():
        if getattr(flags, field) and getattr(first, field):
            raise BadRequest(f"conflicting options: cannot specify both {flag} and per-network {words}", "give one")
    given = {field: getattr(flags, field) for field in _FLAGS if getattr(flags, field)}
    return first.but(**given)


def found(app: App, attachment: Attachment) -> tuple[Network, Attachment]:
    """The network an attachment names, and the attachment with its id and name."""
    network = app.state.networks.find("bridge" if attachment.name == "default" else attachment.name)
    return network, attachment.but(network=network.id, name=network.name)


def check(attachment: Attachment, network: Network) -> None:
    """Whether the network can give what is asked of it."""
    if not network.user_defined:
        _refuse_settings(attachment, network)
    if network.driver == "ipvlan" and attachment.mac:
        raise BadRequest("ipvlan interfaces do not support custom mac address assignment",
                         "all of them share their parent's: leave out --mac-address, or use -d macvlan")
    _check_mac(attachment.mac)
    for text, version in ((attachment.ip, 4), (attachment.ip6, 6)):
        if text:
            _check_address(text, version, network)
    for text in attachment.aliases:
        _check_name(text, "alias")
    for text in attachment.link_local:
        _check_link_local(text, network)
    if len(set(attachment.link_local)) < len(attachment.link_local):
        raise BadRequest("a link local IP address is given twice", "give each --link-local-ip once")
    for text in attachment.links:
        _check_link(text)
    _check_options(attachment)


def _refuse_settings(attachment: Attachment, network: Network) -> None:
    make = "make a network: minidock net create mynet, then --net mynet"
    if attachment.ip or attachment.ip6:
        raise BadRequest("invalid endpoint settings:\nuser-specified IP address is supported on user-defined networks"
                         " only", f"{make} --ip …")
    if attachment.aliases:
        raise BadRequest("invalid endpoint settings:\nnetwork-scoped aliases are only supported for user-defined"
                         " networks", f"{make} --network-alias …")
    if attachment.links and network.name == "host":
        raise BadRequest("conflicting options: host type networking can't be used with links. This would result in"
                         " undefined behavior", "leave out --link: everything of the host's is there")


def _check_name(text: str, what: str) -> None:
    """One word that can be written into a file and asked for."""
    if not text or not text.isprintable() or " " in text:
        raise BadRequest(f"invalid {what}: {text!r}", "one word of letters, digits, hyphens, dots")


def _check_mac(mac: str) -> None:
    if mac and (not _MAC.match(mac) or not set(mac) - set("0:-")):
        raise BadRequest(f"{mac} is not a valid mac address", "write it as 02:42:ac:1c:00:05")
    if mac and int(mac[:2], 16) & 1:
        raise BadRequest(f"{mac} is a multicast mac address", "the first byte must be even: 02:…")


def _check_address(text: str, version: int, network: Network) -> None:
    flag = "--ip" if version == 4 else "--ip6"
    address = ipam.parse_address(text, f"IPv{version} address", version)
    if network.leases:
        if version == 6:
            raise BadRequest(f"invalid endpoint settings:\nnetwork {network.name} has no IPv6: a DHCP server lends its"
                             " addresses, which are IPv4 only", "leave out --ip6")
        return  # the server's to say
    subnets = [pool.subnet for pool in network.pools_of(version)]
    if not subnets:
        raise BadRequest(f"invalid endpoint settings:\nno configured subnet contains IP address {address}",
                         f"network {network.name} has no IPv{version}; make one that has"
                         + (": minidock net create mynet --ipv6" if version == 6 else ""))
    if not any(address in subnet for subnet in subnets):
        raise BadRequest(f"invalid endpoint settings:\nno configured subnet contains IP address {address}",
                         f"choose an {flag} inside {' or '.join(map(str, subnets))}, the subnet of {network.name}")


def _check_link_local(text: str, network: Network) -> None:
    try:
        good = ip_address(text).is_link_local and "%" not in text
    except ValueError:
        good = False
    if not good:
        raise BadRequest(f"invalid link local IP address: {text}", "choose one of 169.254.0.0/16 or fe80::/64")
    if ":" in text and not network.ipv6:
        raise BadRequest(f"invalid link local IP address: {text}: network {network.name} has no IPv6",
                         "make one that has: minidock net create mynet --ipv6")


def _check_link(text: str) -> None:
    target, colon, alias = text.partition(":")
    if not target or ":" in alias or bool(colon) != bool(alias):
        raise BadRequest(f"bad format for links: {text}", "write it as --link CONTAINER or --link CONTAINER:ALIAS")
    _check_name(alias or target, "link")


def _check_options(attachment: Attachment) -> None:
    for key, value in attachment.options:
        short = key.removeprefix(OPTION_PREFIX)
        if short not in ENDPOINT_OPTIONS or short == key:
            from minidock.app.options import nearest

            close = nearest(short.rpartition(".")[2], [name.partition(".")[2] for name in ENDPOINT_OPTIONS])
            raise BadRequest(f"unknown driver option {key} of an endpoint", f"did you mean {OPTION_PREFIX}endpoint."
                             f"{close[0]}?" if close else
                             "known are: " + ", ".join(OPTION_PREFIX + name for name in ENDPOINT_OPTIONS))
        (_check_ifname if short == "endpoint.ifname" else _check_sysctls)(value)


def _check_ifname(name: str) -> None:
    if len(name.encode(errors="replace")) > 15:
        raise BadRequest(f"interface name {name} is too long: numerical result out of range", "at most 15 bytes")
    if not name or not name.isprintable() or set(name) & set("/ :%") or name in (".", "..", "lo", "all", "default"):
        raise BadRequest(f"{name!r} cannot be the name of an interface",
                         "1 to 15 bytes, no '/', ':', '%' or blank; not lo, all or default")


def _check_sysctls(text: str) -> None:
    for word in filter(None, (word.strip() for word in text.split(","))):
        if not re.fullmatch(r"net\.(ipv4|ipv6|mpls)\.\w+\.IFNAME\.\w+=[ -~]*", word):
            raise BadRequest(f"unrecognised network interface sysctl '{word}'; represent 'net.X.Y.ethN.Z=V' as"
                             " 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
                             "for example: net.ipv4.conf.IFNAME.log_martians=1")


def check_ifnames(attachments: Iterable[Attachment]) -> None:
    """No two interfaces of a sandbox have one name."""
    names = [name for item in attachments if (name := item.option("endpoint.ifname"))]
    for name in names:
        if names.count(name) > 1:
            raise BadRequest(f"interface name {name} is asked for twice", "give each network another one")
