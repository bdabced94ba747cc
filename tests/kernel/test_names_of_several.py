"""Names on several networks: scope, order, aliases and links of one network, both families, the reverse."""

from __future__ import annotations

import re

import pytest

from minidock.app import pools
from tests.ground import Host
from tests.several import create, inside, up


@pytest.fixture
def zoo(host: Host) -> Host:
    """The networks ant, bee and dog; db is on ant and dog, other is called db on bee; web asks."""
    create(host, "ant", "bee", "dog")
    up(host, "db", ["name=dog,alias=store", "name=ant,alias=archive"])
    up(host, "other", ["name=bee,alias=db,alias=only-bee"])
    return host


def asked(host: Host, name: str, *questions: str) -> list[list[str]]:
    """What dig says to each question, sorted."""
    line = "; echo; ".join(f"dig +short +tries=1 +time=2 {question}" for question in questions)
    return [sorted(part.split()) for part in re.split(r"\n?^\n", inside(host, name, line) + "\n", flags=re.M)][
        :len(questions)]


def test_only_shared_networks_count(zoo: Host) -> None:
    """Whoever is on ant sees db's address there and its alias there, not those of dog."""
    up(zoo, "web", ["ant"])
    assert asked(zoo, "web", "db", "archive", "store", "db.ant", "archive.ant", "db.dog", "db AAAA", "only-bee") == [
        ["10.1.0.2"], ["10.1.0.2"], [], ["10.1.0.2"], ["10.1.0.2"], [], [], []]
    up(zoo, "six", ["dog"])
    assert asked(zoo, "six", "db", "store", "archive", "db AAAA", "store.dog AAAA", "db.ant") == [
        ["10.4.0.2"], ["10.4.0.2"], [], ["fd00:4::2"], ["fd00:4::2"], []]


def test_the_order_of_networks_decides(zoo: Host) -> None:
    """The first in gateway order that knows the name answers (§6); a priority changes it, live; NAME.NETWORK asks
    one. Both questions of a pair may be answered by different networks."""
    up(zoo, "web", ["bee", "ant"])
    assert asked(zoo, "web", "db", "db.bee", "db.ant") == [["10.1.0.2"], ["10.2.0.2"], ["10.1.0.2"]]
    up(zoo, "prior", ["name=bee,gw-priority=1", "ant"])
    assert asked(zoo, "prior", "db") == [["10.2.0.2"]]
    zoo.minidock("net", "connect", "--gw-priority", "2", "dog", "prior")
    assert asked(zoo, "prior", "db", "db AAAA", "only-bee") == [["10.4.0.2"], ["fd00:4::2"], ["10.2.0.2"]]
    zoo.minidock("net", "disconnect", "dog", "prior")
    assert asked(zoo, "prior", "db", "db AAAA") == [["10.2.0.2"], []]


def test_backwards(zoo: Host) -> None:
    """PTR in both families names container and network; an address on a network not shared is a stranger's."""
    up(zoo, "web", ["dog"])
    assert asked(zoo, "web", "-x 10.4.0.2", "-x fd00:4::2", "-x 10.1.0.2") == [["db.dog."], ["db.dog."], []]
    zoo.minidock("net", "connect", "ant", "web")
    assert asked(zoo, "web", "-x 10.1.0.2") == [["db.ant."]]


def test_names_come_and_go_with_networks(zoo: Host) -> None:
    """connect and disconnect are seen by others at once; both directions."""
    up(zoo, "web", ["ant"])
    zoo.minidock("net", "connect", "--alias", "shop", "--alias", "till", "ant", "other")
    assert asked(zoo, "web", "other", "shop", "till", "only-bee") == [["10.1.0.4"], ["10.1.0.4"], ["10.1.0.4"], []]
    assert asked(zoo, "other", "web", "archive") == [["10.1.0.3"], ["10.1.0.2"]]
    zoo.minidock("net", "disconnect", "ant", "other")
    assert asked(zoo, "web", "other", "shop") == [[], []]
    assert asked(zoo, "other", "web") == [[]]


def test_one_alias_of_many(zoo: Host) -> None:
    """§13.9: all their addresses, TTL 600, not always in the same order."""
    for name in ("one", "two", "three"):
        up(zoo, name, ["name=ant,alias=pool"])
    up(zoo, "web", ["ant"])
    answer = inside(zoo, "web", "dig +noall +answer pool")
    assert sorted(line.split()[4] for line in answer.splitlines()) == ["10.1.0.3", "10.1.0.4", "10.1.0.5"]
    assert {line.split()[1] for line in answer.splitlines()} == {"600"}
    many = inside(zoo, "web", "for i in $(seq 30); do dig +short pool | head -1; done")
    assert len(set(many.split())) > 1


def test_links(zoo: Host) -> None:
    """A name that only the linking container knows, on the network it was given for; a missing one is accepted (§14),
    and known once it is there."""
    up(zoo, "web", ["ant"], "--link", "db:database", "--link", "later")
    up(zoo, "stranger", ["ant"])
    assert asked(zoo, "web", "database", "later") == [["10.1.0.2"], []]
    assert asked(zoo, "stranger", "database", "db") == [[], ["10.1.0.2"]]
    up(zoo, "later", ["ant"])
    assert asked(zoo, "web", "later") == [["10.1.0.5"]]
    zoo.minidock("net", "connect", "--link", "other:db", "bee", "stranger")
    assert asked(zoo, "stranger", "db", "other") == [["10.2.0.2"], ["10.2.0.2"]]


def test_a_name_server_comes_with_the_first_network_of_names(zoo: Host) -> None:
    """From the default network to one of the user's: the server is there at once, and goes with the network."""
    up(zoo, "web", ["bridge"])
    assert "127.0.0.11" not in inside(zoo, "web", "cat /etc/resolv.conf")
    zoo.minidock("net", "connect", "ant", "web")
    assert "nameserver 127.0.0.11" in inside(zoo, "web", "cat /etc/resolv.conf")
    assert asked(zoo, "web", "db") == [["10.1.0.2"]]
    zoo.minidock("net", "disconnect", "ant", "web")
    assert "127.0.0.11" not in inside(zoo, "web", "cat /etc/resolv.conf")


def test_the_hosts_file_has_a_line_for_each_address(zoo: Host) -> None:
    up(zoo, "web", ["ant", "dog"], "--hostname", "box", "--domainname", "example.org", "--add-host", "db:192.0.2.7")
    own = [line for line in inside(zoo, "web", "cat /etc/hosts").splitlines() if "box" in line or "192" in line]
    names = "box.example.org box"
    assert own == ["192.0.2.7\tdb", f"10.1.0.3\t{names}", f"10.4.0.3\t{names}", f"fd00:4::3\t{names}"]
    inside(zoo, "web", "echo '192.0.2.8 mine' >> /etc/hosts")
    zoo.minidock("net", "disconnect", "dog", "web")
    zoo.minidock("net", "connect", "bee", "web")
    text = inside(zoo, "web", "cat /etc/hosts")
    assert "10.4.0.3" not in text and "fd00:4::3" not in text
    assert f"10.2.0.3\t{names}\n" in text and "192.0.2.8 mine\n" in text and "192.0.2.7\tdb\n" in text
    assert inside(zoo, "web", "hostname -f") == "box.example.org\n"


def test_links_on_the_default_network_are_lines_of_the_hosts_file(host: Host) -> None:
    """docker-behaviour.md §2.4: IP, alias, host name, name; looked up anew at each start; no names otherwise."""
    up(host, "db", [], "--hostname", "store")
    up(host, "web", [], "--link", "db:database")
    assert inside(host, "web", "grep store /etc/hosts") == "172.17.0.2\tdatabase store db\n"
    assert inside(host, "web", "getent hosts database | cut -d' ' -f1; getent hosts web || true") == "172.17.0.2\n"
    host.minidock("stop", "-t", "0", "db", "web")
    refused = host.minidock("start", "web", check=False)
    assert "Cannot link to a non running container: /db AS /web/database" in refused.stderr
    up(host, "taker", [])
    host.minidock("start", "db", "web")
    assert inside(host, "web", "grep store /etc/hosts") == "172.17.0.3\tdatabase store db\n"


@pytest.mark.parametrize(("nets", "resolves"), [(["cat"], False), (["cat", "ant"], True), (["fox"], False)])
def test_a_way_out_for_questions(host: Host, outside: str, nets: list[str], resolves: bool) -> None:
    """§13.8: on internal networks alone the host's name servers are not asked; with another network they are."""
    create(host, *nets)
    for server in pools.resolvers():  # it answers "no such port" at once
        host.shell(f"ip -n {outside} addr add {server}/32 dev lo")
    up(host, "web", nets)
    traced = host.minidock("dns", "trace", "web", "www.example.org").stdout
    assert ("asked from the host's namespace" in traced) == resolves, traced
    assert ("not asked: the container has internal networks only" in traced) != resolves, traced
