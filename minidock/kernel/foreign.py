"""Other programs' firewalls, as the kernel of this network namespace holds them: ufw and firewalld.

A base chain's drop is final, whoever else accepted (man 8 nft, "Verdict statement"), so what firewalld's own table
refuses, no rule of ours can let through. Sources: ufw src/backend_iptables.py; firewalld core/nftables.py.
"""

from __future__ import annotations

import struct

from minidock.kernel.iptables_decode import expression_list
from minidock.kernel.netlink import NetlinkSocket, attributes
from minidock.kernel.nft_read import GETCHAIN, ask_each, chains_among, header, named, rules_in, steady

_INET, _IPV4 = 1, 2
_MARKS = {  # a chain that is there while the program rules: family, table, chain
    "ufw": (_IPV4, "filter", "ufw-user-input"),
    "firewalld (iptables)": (_IPV4, "filter", "INPUT_ZONES"),
    "firewalld (nftables)": (_INET, "firewalld", "filter_INPUT_ZONES"),
}
_FORWARDERS = {4: "ufw-user-forward", 6: "ufw6-user-forward"}
_IIFNAME = struct.pack(">I", 6)  # NFT_META_IIFNAME
_ACCEPT = struct.pack(">I", 1)
_NAME_BYTES = 16  # IFNAMSIZ: a name is compared with its NULs, a prefix without


def firewalls(socket: NetlinkSocket) -> tuple[str, ...]:
    """The foreign firewalls whose chains are there; one question each, no dump."""
    bodies = [header(family) + named(1, table) + named(3, chain) for family, table, chain in _MARKS.values()]
    answers = ask_each(socket, GETCHAIN, bodies)
    return tuple(name for name, found in zip(_MARKS, answers, strict=True) if found)


def rules_forwarding(socket: NetlinkSocket, version: int) -> bool:
    """Does ufw rule what is forwarded? Then the policy of FORWARD is its own (DEFAULT_FORWARD_POLICY)."""
    place = (version, "filter", _FORWARDERS[version])
    return place in chains_among(socket, [place])


def refusing_zone(socket: NetlinkSocket, device: str) -> str:
    """The zone firewalld has put the device in, if it forwards nothing of it; "" if it does, or there is none."""
    return steady(socket, lambda: _refusing_zone(socket, device))


def _refusing_zone(socket: NetlinkSocket, device: str) -> str:
    for rule in rules_in(socket, _INET, "firewalld", "filter_FORWARD_ZONES"):
        if _is_for(rule, device):
            _, chain = _verdict(rule)
            rules = list(rules_in(socket, _INET, "firewalld", chain))
            accepts = bool(rules) and _verdict(rules[-1])[0] == _ACCEPT
            return "" if accepts else chain.removeprefix("filter_FWD_")
    return ""


def _is_for(rule: dict[int, bytes], device: str) -> bool:
    """Does it match the device by name, by a prefix of it, or everything (the default zone)?"""
    name = device.encode().ljust(_NAME_BYTES, b"\0")
    for kind, data in expression_list(rule.get(4, b"")):
        found = attributes(data)
        if kind == "cmp" and not name.startswith(attributes(found[3])[1]):
            return False
        if kind not in ("meta", "cmp", "immediate", "counter") or (kind == "meta" and found[2] != _IIFNAME):
            return False  # by address, by protocol: not for all the device sends
    return True


def _verdict(rule: dict[int, bytes]) -> tuple[bytes, str]:
    """(code, chain) of the verdict the rule ends with; empty for another end, such as a reject."""
    parts = expression_list(rule.get(4, b""))
    if not parts or parts[-1][0] != "immediate":
        return b"", ""
    verdict = attributes(attributes(attributes(parts[-1][1]).get(2, b"")).get(2, b""))
    return verdict.get(1, b""), verdict.get(2, b"").rstrip(b"\0").decode()
