"""What the DHCP server of the playground's LAN lends to containers of an ordinary user."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyroute2

from tests.kernel.playground_cli import needs_root, run
from tests.kernel.test_playground_named import for_everybody

__all__ = ["for_everybody"]
pytestmark = needs_root


def test_an_ordinary_users_containers_borrow_from_its_server(for_everybody: tuple[list[str], dict[str, str]]) -> None:
    """Lent, renewed, and given back."""
    cli, env = for_everybody
    shutil.copytree(Path(pyroute2.__file__).parent, f"{env['PYTHONPATH']}/pyroute2")
    cli = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *cli]
    script = """minidock net create -d macvlan --ipam-driver dhcp -o parent=lan0 wire >/run/id
        minidock run -d --name desk --init --net wire sleep 100 >/run/id
        minidock exec desk curl -sS --local-port 40000 http://peer1.lan; cut -d' ' -f3-4 /run/playground/lan/leases
        timeout 30 sh -c 'until [ $(grep -c DHCPACK /run/playground/lan/log) -gt 1 ]; do sleep 0.1; done'
        minidock rm -f desk; cat /run/playground/lan/leases"""
    done = run("--lan", "--renew", "8", "--", "sh", "-ec", script, cli=cli, env=env, cwd="/", timeout=90)
    assert done.stdout == "hello from peer1: you are 10.77.0.64:40000\n10.77.0.64 desk\ndesk\n", done.stderr
