"""The DHCP and name server of the playground's LAN: the real dnsmasq, with a configuration of its own.

All it reads and writes lies in HOME, in the playground's private /run; it dies with the playground. To try other
settings: edit dnsmasq.conf there, then kill $(cat …/pid) and ip netns exec router dnsmasq -C …/dnsmasq.conf
"""

from __future__ import annotations

import os
import shutil
from ipaddress import ip_interface

from minidock.kernel import netns
from minidock.playground import entry, ground

HOME = f"{ground.HOME}/lan"
CONFIGURATION, LOG = f"{HOME}/dnsmasq.conf", f"{HOME}/log"
_SHORTEST_LEASE_SECONDS = 120  # dnsmasq makes shorter ones as long as that
_TEXT = """# The DHCP and name server of the playground's LAN. man 8 dnsmasq explains each word.
except-interface={wan}
no-hosts
no-resolv
server=198.51.100.1
domain=lan
local=/lan/
{names}
dhcp-authoritative
dhcp-sequential-ip
no-ping
{ranges}
dhcp-option=option:T1,{renew}s
dhcp-option=option:T2,{rebind}s
dhcp-leasefile={home}/leases
pid-file={home}/pid
log-facility={home}/log
log-dhcp
user=root
group=
"""


def text(wan: str, renew_seconds: int, names: dict[str, tuple[str, ...]], vlans: tuple[int, ...]) -> str:
    """Its configuration. Clients renew after half the lease and rebind after 7/8 (RFC 2131 4.4.5)."""
    lease_seconds = max(_SHORTEST_LEASE_SECONDS, renew_seconds * 2)
    records = [",".join((f"host-record={name}.lan", *(str(ip_interface(one).ip) for one in own)))
               for name, own in names.items()]
    ranges = [f"dhcp-range=10.77.{vlan}.64,10.77.{vlan}.127,{lease_seconds}" for vlan in vlans]
    return _TEXT.format(wan=wan, names="\n".join(records), ranges="\n".join(ranges), renew=renew_seconds,
                        rebind=renew_seconds * 7 // 4, home=HOME)


def start(where: str, wan: str, renew_seconds: int, names: dict[str, tuple[str, ...]],
          vlans: tuple[int, ...]) -> list[str]:
    """Start it in the namespace, serving on all its devices but `wan`; a note if the LAN must do without it."""
    program = shutil.which("dnsmasq", path=entry.environment("")["PATH"])
    if not program:
        return [_without("dnsmasq is not installed; type: sudo apt-get install dnsmasq-base")]
    os.mkdir(HOME)
    with open(CONFIGURATION, "w") as file:
        file.write(text(wan, renew_seconds, names, vlans))
    said = (os.POSIX_SPAWN_OPEN, 2, LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with netns.inside(where):
        pid = os.posix_spawn(program, [program, "-C", CONFIGURATION], os.environ, file_actions=[said])
    if os.waitpid(pid, 0)[1] == 0:  # it has gone to the background, and answers
        return []
    with open(LOG) as log:
        return [_without((log.read().splitlines() or ["dnsmasq did not start"])[-1])]


def _without(reason: str) -> str:
    return f"the LAN has no DHCP server: {reason}"
