"""Explain equals apply where a DHCP server lends the addresses: the script of the deed holds what was lent.

A script made beforehand cannot: it says so, and makes all but the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.closeup import difference
from tests.ground import Host, fresh_host
from tests.kernel.tale import Tale
from tests.lan import ROUTER, lan_of
from tests.lending import address, serving

CREATE = "net create -d macvlan --ipam-driver dhcp -o parent=eth1 wire"
PLAYS = {
    "run": (CREATE, "run -d --name c1 --net wire {} sleep 100"),
    "host access": (f"{CREATE} -o host_access=true", "run -d --name c1 --net wire {} sleep 100"),
    "passthru": (f"{CREATE} -o macvlan_mode=passthru", "run -d --name c1 --net wire {} sleep 100"),
    "fixed": (CREATE, "run -d --name c1 --net wire --ip 10.77.0.77 --mac-address 02:42:0a:4d:00:4d {} sleep 100"),
    "internal": (f"{CREATE} --internal", "run -d --name c1 --net wire {} sleep 100"),
    "connect": (CREATE, "net create br0 --subnet 172.28.0.0/16", "run -d --name c1 --net br0 -p 80:80 {} sleep 100",
                "net connect {} --gw-priority 3 wire c1", "net disconnect wire c1", "net connect {} wire c1"),
}


@pytest.fixture(autouse=True)
def seed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both hosts make the same choices."""
    monkeypatch.setenv("MINIDOCK_SEED", "explain equals apply")
    yield


def _told(play: tuple[str, ...], tmp_path: Path) -> Tale:
    """Scripts of what asks the server are written by the deed itself, the others beforehand."""
    tale, script = Tale(), tmp_path / "script.sh"
    with fresh_host(tmp_path / "engine") as host, lan_of(host), serving(tmp_path):
        tale.look(host)
        for act in (*play, "rm -f c1", "net rm wire", "system reset -f"):
            if "{}" in act:
                tale.act_by_deed(host, script, *act.format(f"--script {script}").split())
            else:
                tale.act(host, *act.split())
    return tale


@pytest.mark.parametrize("name", PLAYS)
def test_the_script_of_the_deed_makes_what_the_engine_made(name: str, tmp_path: Path) -> None:
    """Act by act both hosts and their sandboxes look alike, addresses and routes too; in the end all is as before."""
    tale = _told(PLAYS[name], tmp_path)
    assert any("addr add 10.77.0." in script for script, _ in tale.chapters)
    with fresh_host(tmp_path / "script") as host, lan_of(host):
        tale.retell(host)
    left = difference(tale.chapters[0][1], tale.chapters[-1][1])
    assert not left, "\n".join(left)


def test_explain_shows_what_the_container_has(host: Host, tmp_path: Path) -> None:
    """`--explain` and `explain` hold the address that was lent, and the router that came with it."""
    with lan_of(host), serving(tmp_path):
        host.minidock(*CREATE.split())
        told = host.minidock("run", "-d", "--name", "c1", "--net", "wire", "--explain", "sleep", "100").stderr
        for text in (told, host.minidock("explain", "c1").stdout):
            assert f"addr add {address(host, 'c1')}/24 brd + dev eth0" in text
            assert f"route add default via {ROUTER} dev eth0" in text
            assert "The address that a DHCP server has lent this container" in text
