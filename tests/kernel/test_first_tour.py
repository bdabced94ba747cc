"""The main job, as a user types it."""

from __future__ import annotations

from tests.ground import Host


def test_the_main_job(host: Host, outside: str) -> None:
    """Create, run, exec, logs, stop, inspect, remove; the outside is reached; nothing but the host scope is left."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    before = host.picture()
    host.minidock("run", "--rm", "--net", "br0", "ping", "-c1", "-W2", "172.28.0.1")
    host.minidock("run", "--rm", "--net", "br0", "ping", "-c1", "-W2", "203.0.113.10")
    host.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    shown = host.minidock("exec", "web", "ip", "addr")
    assert "172.28.0.2/16" in shown.stdout and shown.stderr == ""
    assert "web" in host.minidock("ps").stdout
    host.minidock("stop", "-t", "0", "web")
    host.minidock("rm", "web")
    assert host.settled(before) == before
    host.minidock("net", "rm", "br0")
    assert "br-" not in host.shell("ip -o link")
