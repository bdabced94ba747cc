"""Drivers and driver options of `net create`: known, and readable."""

from __future__ import annotations

from collections.abc import Iterable

from minidock import ipam
from minidock.app.pools import Wishes
from minidock.drivers import DRIVERS, ipvlan, macvlan
from minidock.errors import BadRequest, Conflict
from minidock.firewall.bridge import GATEWAY_MODES, truth
from minidock.model.network import OPTION_PREFIX


def check_driver(driver: str) -> None:
    """Only drivers that can have more networks than their predefined one."""
    if driver in ("host", "null", "none"):
        raise Conflict(f'only one instance of "{driver}" network is allowed: the predefined one',
                       "use it: minidock run --net host, or --net none")
    if driver not in DRIVERS:
        close = nearest(driver, _MAKEABLE)
        raise BadRequest(f'plugin "{driver}" not found', f"did you mean: -d {close[0]}" if close else
                         f"the drivers for new networks are: {', '.join(_MAKEABLE)}")


_MAKEABLE = ("bridge", "macvlan", "ipvlan")


def check_options(driver: str, options: tuple[tuple[str, str], ...], internal: bool = False) -> None:
    """Refuse what the driver does not know or cannot read; Docker ignores an unknown option silently."""
    known: tuple[str, ...] = DRIVERS[driver].OPTIONS
    for key, value in options:
        if key not in known:
            close = nearest(key.removeprefix(OPTION_PREFIX), [word.removeprefix(OPTION_PREFIX) for word in known], 0.4)
            raise BadRequest(f"unknown option {key} of driver {driver}",
                             f"did you mean {_whole(close[0], known)}?" if close else f"known are: {', '.join(known)}")
        _check_value(key.removeprefix(OPTION_PREFIX), value)
    asked = dict(options)
    mode = asked.get("macvlan_mode", "bridge")
    if truth(asked.get("host_access", "false")) and mode != "bridge":
        raise BadRequest(f"host_access needs macvlan mode bridge: in mode {mode} the host's own link reaches no"
                         " container", "leave out -o macvlan_mode, or -o host_access")
    modes = [asked.get(f"{OPTION_PREFIX}bridge.gateway_mode_ipv{version}") for version in (4, 6)]
    if not internal and "isolated" in modes:
        raise BadRequest("gateway mode 'isolated' can only be used for an internal network",
                         "give --internal too, or another mode: nat, nat-unprotected, routed")


def check_leases(driver: str, options: dict[str, str], addresses: Wishes, ipv4: bool, ipv6: bool) -> None:
    """--ipam-driver dhcp: containers stand on the LAN with a MAC address each, and a server there says the rest."""
    name = options.get("parent", "eth0")
    whole = f"minidock net create -d macvlan --ipam-driver dhcp -o parent={name} NAME"
    if driver != "macvlan":
        why = "its containers share the MAC address of their parent, by which servers tell borrowers apart" \
            if driver == "ipvlan" else "its containers do not stand on the LAN"
        raise BadRequest(f"IPAM driver dhcp does not go with driver {driver}: {why}", whole)
    if "parent" not in options:
        raise BadRequest("IPAM driver dhcp needs a parent interface: without one the network leads to no DHCP server",
                         f"name the one on the LAN: {whole}")
    if ipv6 or not ipv4:
        raise BadRequest("IPAM driver dhcp lends IPv4 addresses only",
                         f"leave out {'--ipv6' if ipv6 else '--ipv4=false'}: {whole}")
    for flag, given in (("--subnet", addresses.subnets), ("--ip-range", addresses.ip_ranges),
                        ("--gateway", addresses.gateways), ("--aux-address", addresses.aux)):
        if given:
            raise BadRequest(f"{flag} does not go with IPAM driver dhcp: the DHCP server on {name} says which addresses"
                             " there are, and the router", f"leave out {flag}: {whole}")


def _whole(word: str, known: Iterable[str]) -> str:
    """The option with its prefix, if it has one."""
    return next(key for key in known if key.removeprefix(OPTION_PREFIX) == word)


def family(options: dict[str, str], key: str, asked: bool | None, default: bool) -> bool:
    """Is a family on, by --ipv4 or --ipv6, or by the option that says the same?"""
    value = options.get(OPTION_PREFIX + key)
    if value is not None:
        _check_value(key, value)
        default = truth(value)
    return default if asked is None else asked


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> list[str]:
    """The known word that was meant, if any."""
    from difflib import get_close_matches  # only for the mistaken: it costs 1 ms

    return get_close_matches(word, list(known), 1, likeness)


_BOOLEANS = ("bridge.enable_icc", "bridge.enable_ip_masquerade", "bridge.inhibit_ipv4", "bridge.ipv6_relay",
             "enable_ipv4", "enable_ipv6", "host_access")
_MODES = {  # option: what it may be, what is told else
    "macvlan_mode": (macvlan.MODES, "macvlan mode '{}' is not valid, 'bridge' mode is the macvlan driver default"),
    "ipvlan_mode": (ipvlan.MODES, "ipvlan mode '{}' is not valid, 'l2' mode is the ipvlan driver default"),
    "ipvlan_flag": (ipvlan.FLAGS, "ipvlan flag '{}' is not valid, 'bridge' is the ipvlan driver default"),
}


def _check_value(key: str, value: str) -> None:
    if key in _MODES and value not in _MODES[key][0]:
        raise BadRequest(f"requested {_MODES[key][1].format(value)}", f"write one of {', '.join(_MODES[key][0])}")
    if key in _BOOLEANS:
        try:
            truth(value)
        except ValueError as error:
            raise BadRequest(f'failed to parse {key} value: {value} (strconv.ParseBool: parsing "{value}": invalid'
                             " syntax)", "write true or false") from error
    if key == "driver.mtu" and not (value.isdigit() and 68 <= int(value) <= 65535):
        raise BadRequest(f"invalid MTU number: {value}", "a bridge's MTU is between 68 and 65535 bytes")
    if key in ("bridge.name", "container_iface_prefix", "bridge.trusted_host_interfaces"):
        longest = 12 if key == "container_iface_prefix" else 15
        for name in value.split(":") if key == "bridge.trusted_host_interfaces" else (value,):
            _check_interface(name, longest)
    if key == "bridge.host_binding_ipv4":
        ipam.parse_address(value, "host binding address")
    if key in ("host_ipv4", "host_ipv6"):
        ipam.parse_address(value, "host address", int(key[-1]))
    if key in ("bridge.gateway_mode_ipv4", "bridge.gateway_mode_ipv6") and value not in GATEWAY_MODES:
        raise BadRequest(f'failed to parse {OPTION_PREFIX}{key} value: "{value}" (unknown gateway mode {value})',
                         f"the modes are {', '.join(GATEWAY_MODES)}")


def _check_interface(name: str, longest: int) -> None:
    if not 0 < len(name.encode()) <= longest or set(name) & set("/ \t\n:") or name in (".", ".."):
        raise BadRequest(f"{name!r} is not an interface name: numerical result out of range",
                         f"1 to {longest} bytes, no '/', ':' or blank")
