"""`net ls` and `net prune` as Docker's: order, formats, filters, questions (docker-behaviour.md §1.2, §1.7)."""

from __future__ import annotations

import json
import re

from minidock.store.locks import locked
from tests.ground import Host


def names(host: Host) -> list[str]:
    return host.minidock("net", "ls", "-f", "type=custom", "--format", "{{.Name}}").stdout.split()


def test_names_are_in_natural_order(host: Host) -> None:
    for name in ("net10", "net2", "Net3", "net1a"):
        host.minidock("net", "create", name)
    assert names(host) == ["Net3", "net1a", "net2", "net10"]


def test_formats(host: Host) -> None:
    """All of Docker's fields, its JSON keys, raw, and what -q makes of them."""
    host.minidock("net", "create", "br0", "--internal", "--label", "a.b=c", "--label", "d")
    whole = json.loads(host.minidock("net", "ls", "--no-trunc", "-f", "name=br0", "--format", "json").stdout)
    assert list(whole) == ["CreatedAt", "Driver", "ID", "IPv4", "IPv6", "Internal", "Labels", "Name", "Scope"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d*[1-9])? \+0000 UTC", whole.pop("CreatedAt"))
    short = whole["ID"][:12]
    assert whole == {"Driver": "bridge", "ID": whole["ID"], "IPv4": "true", "IPv6": "false", "Internal": "true",
                     "Labels": "a.b=c,d=", "Name": "br0", "Scope": "local"}

    def shown(*flags: str) -> str:
        return host.minidock("net", "ls", "-f", "name=br0", *flags).stdout

    assert shown("--format", "raw") == f"network_id: {short}\nname: br0\ndriver: bridge\nscope: local\n\n"
    assert shown("-q") == f"{short}\n"
    assert shown("-q", "--format", "raw") == f"network_id: {short}\n"
    assert shown("-q", "--format", "{{.Name}}") == "br0\n"
    form = '{{.Label "a.b"}} {{.Label "x"}}|{{.Internal}} {{.IPv4}} {{.IPv6}}'
    assert shown("--format", form) == "c |true true false\n"
    assert shown("--format", r'table {{.Name}}\t{{.Label "a.b"}}\t{{.CreatedAt}}').splitlines()[0].split() == \
        ["NAME", "b", "CREATED", "AT"]


def test_prune_by_filters(host: Host) -> None:
    """label, label!, until; used networks stay whatever is asked."""
    for name, label in (("a", "keep=no"), ("b", "keep=yes"), ("c", "other"), ("used", "other")):
        host.minidock("net", "create", name, "--label", label)
    host.minidock("run", "-d", "--net", "used", "sleep", "100")

    def pruned(*texts: str) -> list[str]:
        out = host.minidock("net", "prune", "-f", *(word for text in texts for word in ("--filter", text))).stdout
        assert out == "" or out.startswith("Deleted Networks:\n")
        return out.split()[2:]

    assert pruned("until=1h") == []
    assert pruned("label=keep=maybe") == []
    assert pruned("label=keep=no", "until=0s") == ["a"]
    assert pruned("label!=keep") == ["c"]
    assert names(host) == ["b", "used"]
    assert pruned() == ["b"]
    assert pruned() == []


def test_only_one_prunes_at_a_time(host: Host) -> None:
    host.minidock("net", "create", "br0")
    with locked(f"{host.directory}/run/locks/prune"):
        second = host.minidock("net", "prune", "-f", check=False)
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr.startswith("minidock: a prune operation is already running\nhint: ")
    assert host.minidock("net", "prune", "-f").stdout == "Deleted Networks:\nbr0\n"


def test_prune_asks(host: Host) -> None:
    """Only y is yes; everything else, and no answer, cancels."""
    host.minidock("net", "create", "br0")
    for answer in ("n\n", "\n", "yes\n", ""):
        done = host.minidock("net", "prune", input=answer, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Are you sure you want to continue? [y/N]" in done.stderr
        assert "minidock: network prune has been cancelled\nhint: " in done.stderr
    assert names(host) == ["br0"]
    assert host.minidock("net", "prune", input="Y\n").stdout == "Deleted Networks:\nbr0\n"
