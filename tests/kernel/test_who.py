"""`run -p` and `port --who` say who reaches a port, by whatever rules there are; what Docker prints stays as it is."""

from __future__ import annotations

import json

import pytest

from tests.ground import Host, until

WEB = ("run", "-d", "--name", "web", "--net", "br0", "-p", "8080:80", "-p", "127.0.0.1:5353:53/udp")


@pytest.fixture
def web(host: Host, outside: str) -> tuple[Host, str]:
    """Two networks, a container with two ports; what `run` said on standard error."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16", "-o", "com.docker.network.bridge.name=lab")
    host.minidock("net", "create", "br1", "-o", "com.docker.network.bridge.name=lab1")
    done = host.minidock(*WEB, "sleep", "100")
    assert len(done.stdout) == 65
    return host, done.stderr


def test_run_tells_and_port_prints_dockers_lines(web: tuple[Host, str]) -> None:
    host, told = web
    assert told == ("127.0.0.1:5353->53/udp: reached by this host only\n"
                    "0.0.0.0:8080->80/tcp: reached by this host, its neighbours, all containers\n"
                    "[::]:8080->80/tcp: reached by this host, its neighbours\n")
    plain = host.minidock("port", "web")
    assert (plain.stdout, plain.stderr) == (
        "53/udp -> 127.0.0.1:5353\n80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n", "")


def who(host: Host, *words: str, version: int = 4) -> dict[str, dict[str, str]]:
    """`port web … --who` as JSON: each one's answer in a family."""
    lines = host.minidock("port", "web", *words, "--format", "json").stdout.splitlines()
    return {row["From"]: row for row in map(json.loads, lines) if (":" in row["HostIp"]) == (version == 6)}


def test_the_rules_of_others_count(web: tuple[Host, str]) -> None:
    """Those the user wrote into MINIDOCK-USER, those nobody can read, and one in a table of its own."""
    host, _ = web
    assert {name: row["Reached"] for name, row in who(host, "80").items()} == dict.fromkeys(
        ("host", "neighbours", "networks", "network", "itself"), "yes")
    host.shell("iptables -I MINIDOCK-USER -i up0 ! -s 192.0.2.0/24 -j DROP")
    found = who(host, "80")
    assert found["neighbours"]["Reached"] == "some" and "! -s 192.0.2.0/24 -i up0" in found["neighbours"]["Because"]
    assert found["networks"]["Reached"] == "yes"
    host.shell("iptables -I FORWARD -m recent --set -j DROP")
    found = who(host, "80")
    assert found["neighbours"]["Reached"] == "unknown" and "<recent>" in found["neighbours"]["Because"]
    assert found["host"]["Reached"] == "yes"
    host.shell("iptables -D FORWARD 1; nft 'add table ip theirs; add chain ip theirs f"
               " { type filter hook forward priority 5; }; add rule ip theirs f oifname lab drop'")
    found = who(host, "80")
    assert found["networks"]["Reached"] == "no" and found["networks"]["Because"].startswith("nft, ip theirs f")


def test_one_port_is_asked_for_as_with_docker(web: tuple[Host, str]) -> None:
    host, _ = web
    assert {row["HostPort"] for row in who(host, "53/udp").values()} == {"5353"}
    assert host.minidock("port", "web", "81", "--who", check=False).returncode == 3
    assert host.minidock("port", "web", "--who").stdout.startswith("PORT ")
    host.minidock("stop", "-t", "0", "web")
    assert host.minidock("port", "web", "--who").stdout == ""


def test_lost_rules_are_named(web: tuple[Host, str]) -> None:
    host, _ = web
    host.shell("iptables -t nat -F MINIDOCK")
    assert "system repair" in who(host, "80")["neighbours"]["Because"]
    host.minidock("system", "repair")
    assert who(host, "80")["neighbours"]["Reached"] == "yes"


def test_a_native_firewall_is_understood(web: tuple[Host, str]) -> None:
    """Words that nft's rules share with iptables': states, interfaces, ports; and their drop is final."""
    host, _ = web
    host.shell("nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 5; policy drop; }'")
    host.shell("nft 'add rule inet fw f ct state established,related accept; add rule inet fw f ct state invalid drop;"
               " add rule inet fw f ct status dnat iifname lab1 accept; add rule inet fw f log prefix \"x\"'")
    found = who(host, "80")
    assert found["neighbours"]["Reached"] == "no", found["neighbours"]
    assert found["neighbours"]["Because"] == "the policy of inet fw f is DROP"
    assert found["host"]["Reached"] == found["networks"]["Reached"] == "yes"
    host.shell("nft insert rule inet fw f ct state new iifname up0 tcp dport 80 accept")
    assert who(host, "80")["neighbours"]["Reached"] == "yes"


@pytest.mark.parametrize("address", ["2001:db8:100::2", "fe80::ff:fe00:2%eth0"])
def test_a_relayed_port_is_for_whom_input_lets_in(web: tuple[Host, str], outside: str, address: str) -> None:
    """The helper answers at the host's IPv6 addresses for a container that has none; what is said of it is so."""
    host, _ = web
    host.minidock("rm", "-f", "web")
    host.minidock(*WEB, "python3", "-m", "http.server", "80")
    call = f"ip netns exec {outside} curl -s -m2 -o/dev/null 'http://[{address}]:8080'"
    here = "curl -s -m2 -o/dev/null 'http://[::1]:8080'"
    assert until(lambda: host.shell(f"{call} && echo yes", check=False), bool) == "yes\n"
    assert {name: row["Reached"] for name, row in who(host, "80", version=6).items()} == {
        "host": "yes", "neighbours": "yes"}
    host.shell("ip6tables -A INPUT -i up0 -p tcp --dport 8080 -j DROP")
    assert host.shell(f"{call} && echo yes", check=False) == ""
    assert host.shell(f"{here} && echo yes", check=False) == "yes\n"
    assert {name: row["Reached"] for name, row in who(host, "80", version=6).items()} == {
        "host": "yes", "neighbours": "no"}
