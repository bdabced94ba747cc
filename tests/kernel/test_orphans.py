"""A lost state directory leaves marked things in the kernel: they are told, and removed when the user says so."""

from __future__ import annotations

import os
import shutil

from tests.ground import Host, until


def _lose_state(host: Host) -> None:
    for name in ("root", "run"):
        shutil.rmtree(host.directory / name)


def test_what_has_lost_its_record_is_removed_on_request(host: Host) -> None:
    """Bridge, veth, sandbox, rules and the process go; a foreign bridge and rule stay."""
    host.shell("ip link add foreign type bridge; iptables -A FORWARD -s 192.0.2.1 -j DROP")
    before = host.picture()
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    _lose_state(host)
    told = host.minidock("system", "repair")
    assert "in no record here" in told.stderr and "repair --orphans" in told.stderr
    assert "br-" in host.shell("ip -o link"), "telling removes nothing"
    done = host.minidock("system", "repair", "--orphans").stdout
    assert "killed" in done and "firewall rules: removed" in done
    after = until(host.picture, lambda seen: seen["links"] == before["links"])
    assert after["links"] == before["links"] and after["sandboxes"] == before["sandboxes"]
    assert "minidock" not in str(after["rules"]).lower() and "192.0.2.1" in str(after["rules"])
    assert os.path.isdir(host.directory / "run")


def test_what_has_its_record_is_no_orphan(host: Host) -> None:
    """A running container is untouched by repair --orphans."""
    host.minidock("net", "create", "br0")
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    before = host.picture()
    assert host.minidock("system", "repair", "--orphans").stdout == "nothing to repair\n"
    assert host.picture() == before
    assert "web" in host.minidock("ps").stdout
