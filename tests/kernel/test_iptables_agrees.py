"""iptables itself reads, finds, deletes and restores our rules; foreign rules and MINIDOCK-USER stay as they are."""

from __future__ import annotations

import re

import pytest

from minidock.kernel import nft_read
from minidock.kernel.handle import Kernel
from tests.ground import Host

CREATE = ("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", "com.docker.network.bridge.name=lab")
RUN = ("run", "-d", "--name", "c1", "--net", "br0", "sleep", "100")
PING_GATEWAY = ("exec", "c1", "ping", "-c1", "-W1", "172.28.0.1")

FILTER = """\
-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N MINIDOCK
-N MINIDOCK-BRIDGE
-N MINIDOCK-CT
-N MINIDOCK-FORWARD
-N MINIDOCK-INTERNAL
-N MINIDOCK-USER
-A FORWARD -m comment --comment "minidock:host the user first" -j MINIDOCK-USER
-A FORWARD -m comment --comment "minidock:host to our chains" -j MINIDOCK-FORWARD
-A MINIDOCK ! -i lab -o lab -m comment --comment "minidock:NET unpublished ports" -j DROP
-A MINIDOCK-BRIDGE -o lab -m comment --comment "minidock:NET into the bridge" -j MINIDOCK
-A MINIDOCK-CT -o lab -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "minidock:NET replies" -j ACCEPT
-A MINIDOCK-FORWARD -m comment --comment "minidock:host replies first" -j MINIDOCK-CT
-A MINIDOCK-FORWARD -m comment --comment "minidock:host internal networks" -j MINIDOCK-INTERNAL
-A MINIDOCK-FORWARD -m comment --comment "minidock:host into bridges" -j MINIDOCK-BRIDGE
-A MINIDOCK-FORWARD -i lab -m comment --comment "minidock:NET leaving the bridge" -j ACCEPT
"""

NAT = """\
-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-N MINIDOCK
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "minidock:host published ports" -j MINIDOCK
-A OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "minidock:host published ports from here" -j MINIDOCK
-A POSTROUTING -o lab -m addrtype --src-type LOCAL -m comment --comment "minidock:NET host to containers" -j MASQUERADE
-A POSTROUTING -s 172.28.0.0/16 ! -o lab -m comment --comment "minidock:NET outbound masquerade" -j MASQUERADE
"""

RAW = """\
-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-A PREROUTING -d 172.28.0.2/32 ! -i lab -m comment --comment "minidock:END no direct access" -j DROP
"""

# rules of other people: before and after ours, in chains of ours' tables, in chains and tables of their own
FOREIGN = """
iptables -I FORWARD -s 10.1.0.0/16 -j DROP
iptables -A FORWARD -s 10.2.0.0/16 -m comment --comment "not ours" -j ACCEPT
iptables -t nat -A POSTROUTING -s 10.3.0.0/16 -j MASQUERADE
iptables -t raw -A PREROUTING -d 10.4.0.1/32 -j DROP
iptables -t mangle -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
iptables -N THEIRS
iptables -A THEIRS -s 10.5.0.0/16 -j RETURN
iptables -A INPUT -j THEIRS
ip6tables -A FORWARD -s 2001:db8::/32 -j DROP
nft add table inet theirs
nft add chain inet theirs input '{ type filter hook input priority 0; }'
nft add rule inet theirs input tcp dport 9 drop
"""

# what the user may ask conntrack for, and what stays unread: a subnet, a status
USERS = (
    "-m conntrack --ctstate DNAT --ctorigdst 198.51.100.2 --ctorigdstport 8080 --ctdir ORIGINAL -j DROP",
    "-p tcp -m conntrack ! --ctorigdst 198.51.100.2 ! --ctorigdstport 8080:8082 --ctdir REPLY -j DROP",
)
UNREAD = ("-m conntrack --ctorigdst 198.51.100.0/24 -j DROP", "-m conntrack --ctstatus CONFIRMED -j DROP")

RESTORE = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:THEIRS - [0:0]
-A FORWARD -s 10.1.0.0/16 -j DROP
-A THEIRS -s 10.5.0.0/16 -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.3.0.0/16 -j MASQUERADE
COMMIT
"""


@pytest.fixture
def lab(host: Host) -> Host:
    """A host with one network on the device `lab`, and the container c1 on it."""
    host.minidock(*CREATE)
    host.minidock(*RUN)
    return host


def _masked(host: Host, command: str) -> str:
    """A listing with the ids of network and container made words."""
    text = host.shell(command)
    text = re.sub(r"minidock:container/\w{12}/\w{12} ", "minidock:END ", text)
    return re.sub(r"minidock:network/\w{12} ", "minidock:NET ", text)


def _listing(host: Host) -> str:
    """All tables of both families as iptables lists them."""
    return "".join(_masked(host, f"{program} -t {table} -S") for program in ("iptables", "ip6tables")
                   for table in ("filter", "nat", "raw", "mangle"))


def _foreign(text: str) -> list[str]:
    """The lines of a listing that are not ours."""
    return [line for line in text.splitlines() if "minidock" not in line.lower() and not line.startswith("-P")]


def test_iptables_lists_our_rules_as_its_own(lab: Host) -> None:
    """The whole text of -S, table by table; iptables-save holds the same rules."""
    assert _masked(lab, "iptables -S") == FILTER
    assert _masked(lab, "iptables -t nat -S") == NAT
    assert _masked(lab, "iptables -t raw -S") == RAW
    saved = _masked(lab, "iptables-save")
    rules = [line for line in (FILTER + NAT + RAW).splitlines() if line.startswith("-A")]
    assert sorted(line for line in saved.splitlines() if line.startswith("-A")) == sorted(rules)


def test_iptables_finds_and_deletes_each_of_our_rules(lab: Host) -> None:
    """-C succeeds for every rule in the words of -S; the control, with one word changed, fails; -D removes it."""
    rules = [(table, line[3:]) for table in ("filter", "nat", "raw")
             for line in lab.shell(f"iptables -t {table} -S").splitlines() if line.startswith("-A")]
    assert len(rules) == 14
    for table, rule in rules:
        lab.shell(f"iptables -t {table} -C {rule}")
        changed = rule.replace("minidock:", "minidoc:")
        assert lab.shell(f"iptables -t {table} -C {changed} 2>/dev/null && echo found", check=False) == ""
    for table, rule in rules:
        lab.shell(f"iptables -t {table} -D {rule}")
    assert not [line for line in lab.shell("iptables-save").splitlines() if line.startswith("-A")]


def test_foreign_rules_survive_every_command(host: Host) -> None:
    """create, run, repair, rm, net rm, reset: others' rules stay, each in its chain, in their order."""
    host.shell(FOREIGN)
    everything = "iptables-save -c; ip6tables-save -c; nft list table inet theirs"
    before = _foreign(_listing(host)), host.shell("nft list table inet theirs")
    assert len(before[0]) == 9
    for words in (CREATE, RUN, PING_GATEWAY, ("system", "repair"), ("rm", "-f", "c1"), ("net", "rm", "br0"),
                  ("system", "reset", "-f")):
        host.minidock(*words)
        assert (_foreign(_listing(host)), host.shell("nft list table inet theirs")) == before, words
        ours = "minidock:" in host.shell(everything)
        assert ours == (words[1] != "reset"), words


@pytest.mark.parametrize("disaster", ["iptables -F", "iptables -t nat -F",
                                      "iptables -F; iptables -t nat -F; iptables -t raw -F",
                                      "iptables -t nat -F; iptables -t nat -X; iptables -P FORWARD ACCEPT",
                                      f"iptables-restore <<'E'\n{RESTORE}E", "nft flush ruleset"])
def test_repair_puts_our_rules_back_in_their_order(lab: Host, disaster: str) -> None:
    """After a flush, or a foreign ruleset restored over ours; foreign rules keep their places."""
    lab.minidock("net", "create", "br1", "--internal", "--subnet", "172.29.0.0/16")
    before = _masked(lab, "iptables -S; iptables -t nat -S; iptables -t raw -S")
    lab.shell(disaster)
    after = _masked(lab, "iptables -S; iptables -t nat -S; iptables -t raw -S")
    assert after != before
    repaired = lab.minidock("system", "repair").stdout
    assert "firewall rules" in repaired
    mended = _masked(lab, "iptables -S; iptables -t nat -S; iptables -t raw -S")
    assert [line for line in mended.splitlines() if "10." not in line and "THEIRS" not in line] == before.splitlines()
    assert _foreign(mended) == _foreign(after)
    assert lab.minidock("system", "repair").stdout == "nothing to repair\n"
    lab.minidock(*PING_GATEWAY)


def test_rules_that_went_through_iptables_save_are_still_ours(lab: Host) -> None:
    """iptables-restore turns our comments into matches; -S shows no difference, and removal finds them."""
    before = _listing(lab)
    lab.shell("iptables-save > $MINIDOCK_RUN/saved && iptables-restore < $MINIDOCK_RUN/saved")
    assert _listing(lab) == before
    assert lab.minidock("system", "repair").stdout == "nothing to repair\n"
    lab.minidock("rm", "-f", "c1")
    lab.minidock("net", "rm", "br0")
    assert "minidock:network" not in lab.shell("iptables-save")
    assert "minidock:host" in lab.shell("iptables-save")


def test_the_users_chain_comes_first_and_is_never_flushed(lab: Host, outside: str) -> None:
    """A DROP of the user's works, whatever is created or removed; reset keeps the chain while it holds rules."""
    ping = ("exec", "c1", "ping", "-c1", "-W1", "203.0.113.10")
    lab.minidock(*ping)
    rule = "-A MINIDOCK-USER -s 172.28.0.0/16 -d 203.0.113.10/32 -j DROP"
    lab.shell(f"iptables {rule}")
    for words in (("net", "create", "br1"), ("system", "repair"), ("net", "rm", "br1")):
        lab.minidock(*words)
        assert lab.shell("iptables -S MINIDOCK-USER").splitlines() == ["-N MINIDOCK-USER", rule]
        assert "MINIDOCK-USER" in lab.shell("iptables -S FORWARD").splitlines()[1]
        assert lab.minidock(*ping, check=False).returncode == 1
        lab.minidock("exec", "c1", "ping", "-c1", "-W1", "198.51.100.1")  # only what the user named is dropped
    lab.minidock("system", "reset", "-f")
    assert lab.shell("iptables-save | grep -i minidock").splitlines() == [":MINIDOCK-USER - [0:0]", rule]
    lab.minidock(*CREATE)
    lab.minidock(*RUN)
    assert lab.minidock(*ping, check=False).returncode == 1
    lab.shell("iptables -F MINIDOCK-USER")
    lab.minidock(*ping)
    lab.minidock("system", "reset", "-f")
    assert lab.shell("iptables-save | grep -ci minidock", check=False) == "0\n"


def test_what_users_ask_conntrack_for_is_read_in_their_words(host: Host) -> None:
    for spec in (*USERS, *UNREAD):
        host.shell(f"iptables -A FORWARD {spec}")
    host.shell("ip6tables -A FORWARD -m conntrack --ctorigdst 2001:db8::1 -j DROP")
    kernel = Kernel()
    rows = [row[5] for row in nft_read.words(kernel.netfilter()) if row[0] == "rule"]
    kernel.close()
    assert rows == [*USERS, *["<conntrack> -j DROP"] * 2, "-m conntrack --ctorigdst 2001:db8::1 -j DROP"]
