"""The name server in sandboxes of the real kernel: asked by dig and by hand, killed, flooded, watched on the wire."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidock.dns import bell, forwarding, keeper, process, tables, trace, wire
from minidock.errors import MinidockError
from minidock.kernel import netns
from minidock.probes.tap import Tap, dissected
from tests.ground import Host, until
from tests.kernel.dns_stage import (
    GUEST,
    HOST_END,
    PORT,
    SANDBOX,
    Stage,
    answering,
    failing,
    silent,
    stage,
    started,
)
from tests.unit.test_dns_wire import nonsense

pytestmark = pytest.mark.long  # floods, kills and a hundred thousand malformed messages: more than a minute


@pytest.fixture
def ground(host: Host, tmp_path: Path) -> Iterator[Stage]:
    """A sandbox, and two names in its network."""
    with stage(host, tmp_path) as made:
        made.name("web", "10.0.0.2")
        made.name("www", "10.0.0.2")
        made.name("db", "10.0.0.3", "c2")
        yield made


def test_dig_is_answered_over_udp_and_tcp(ground: Stage) -> None:
    """A, AAAA, PTR, NAME.NETWORK, in any case; what nobody knows is SERVFAIL without upstreams."""
    ground.container()
    for transport in ("+notcp", "+tcp"):
        assert ground.dig("+short", transport, "WEB") == "10.0.0.2\n"
        assert ground.dig("+short", transport, "db.net1") == "10.0.0.3\n"
        assert ground.dig("+short", transport, "-x", "10.0.0.2") == "web.net1.\n"
        empty = ground.dig(transport, "web", "AAAA")
        assert "status: NOERROR" in empty and "ANSWER: 0" in empty
        assert "status: SERVFAIL" in ground.dig(transport, "example.org")
    assert "600\tIN\tA\t10.0.0.2" in ground.dig("+noall", "+answer", "web")
    assert "flags: qr rd ra;" in ground.dig("web")


def test_port_53_is_led_to_the_server(ground: Stage) -> None:
    """The rules that the sandbox has; dig itself refuses an answer that comes from another port."""
    ground.container()
    rules = [f"-N MINIDOCK_{chain}" for chain in ("OUTPUT", "POSTROUTING")]
    rules += [f"-A {chain} -d 127.0.0.11/32 -j MINIDOCK_{chain}" for chain in ("OUTPUT", "POSTROUTING")]
    for proto in ("tcp", "udp"):
        rules += [(f"-A MINIDOCK_OUTPUT -d 127.0.0.11/32 -p {proto} --dport 53 -j DNAT"
                  f" --to-destination 127.0.0.11:{PORT}"),
                  f"-A MINIDOCK_POSTROUTING -s 127.0.0.11/32 -p {proto} --sport {PORT} -j SNAT --to-source :53"]
    assert "refused" in ground.host.shell(f"ip netns exec {SANDBOX} dig +tries=1 +time=1 @127.0.0.11 web", check=False)
    for rule in rules:
        ground.host.shell(f"ip netns exec {SANDBOX} iptables -t nat {rule}")
    for transport in ("+notcp", "+tcp"):
        assert ground.dig("+short", transport, "web", port=53) == "10.0.0.2\n"


def test_changes_are_heard_at_once_and_seen_within_two_seconds(ground: Stage) -> None:
    """With the bell; and without it, by the server's own look."""
    ground.container()
    assert ground.dig("+short", "web") == "10.0.0.2\n"
    ground.sql.execute("UPDATE names SET address4 = '10.0.0.9' WHERE container = 'c1'")
    assert bell.ring(ground.run, "") == ""
    assert ground.dig("+short", "web") == "10.0.0.9\n"
    ground.name("late", "10.0.0.7", "c7")
    assert until(lambda: ground.dig("+short", "late"), bool, 2) == "10.0.0.7\n"


def test_what_cannot_be_served_is_said(ground: Stage) -> None:
    """The port is taken inside the sandbox; once it is free, the server has it by itself."""
    with netns.inside(SANDBOX):
        squatter = forwarding.socket()
    squatter.bind(("127.0.0.11", PORT))
    squatter.listen()
    with pytest.raises(MinidockError, match=f"127.0.0.11:{PORT} in {SANDBOX}: Address already in use"):
        ground.container()
    squatter.close()
    seen = until(lambda: ground.host.shell(f"ip netns exec {SANDBOX} dig +tries=1 +time=1 +short -p {PORT} @127.0.0.11"
                                           " web", check=False), lambda text: text == "10.0.0.2\n")
    assert seen == "10.0.0.2\n"


@pytest.mark.parametrize("place", ["host", "container"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_scapy_sees_where_a_question_leaves(ground: Stage, place: str, transport: str) -> None:
    """From the host's namespace it never crosses the container's cable; from the container's it does, both ways."""
    upstream = ground.upstream("", HOST_END, answering("192.0.2.1"))
    ground.container((place, HOST_END))
    with Tap("", "vdns") as cable, Tap("", "lo") as loopback:
        assert ground.dig("+short", transport, "example.org") == "192.0.2.1\n"
        seen = {where: _sources(tap) for where, tap in (("cable", cable), ("loopback", loopback))}
    assert seen == ({"cable": set(), "loopback": {HOST_END}} if place == "host" else
                    {"cable": {GUEST}, "loopback": set()})
    assert upstream.asked == [(HOST_END if place == "host" else GUEST, transport[1:].replace("notcp", "udp"))]


def _sources(tap: Tap) -> set[str]:
    """Who sent something to port 53."""
    packets = [dissected(frame) for frame in tap.heard()]
    return {packet["IP"].src for packet in packets
            if any(packet.haslayer(layer) and packet[layer].dport == 53 for layer in ("UDP", "TCP"))}


@pytest.mark.parametrize("first", [failing(wire.SERVFAIL), failing(wire.REFUSED), None],
                         ids=["servfail", "refused", "nobody"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_next_upstream_is_asked(ground: Stage, first: object, transport: str) -> None:
    """After SERVFAIL, after REFUSED, or if nobody listens there."""
    asked = ground.upstream("", "127.0.0.1", first) if first else None  # type: ignore[arg-type]
    ground.upstream("", "127.0.0.2", answering("192.0.2.2"))
    ground.container(("host", "127.0.0.1"), ("host", "127.0.0.2"))
    assert ground.dig("+short", transport, "example.org") == "192.0.2.2\n"
    assert asked is None or len(asked.asked) == 1


def test_nxdomain_is_an_answer(ground: Stage) -> None:
    """The second upstream is not asked; it would be, and is, after SERVFAIL."""
    first = ground.upstream("", "127.0.0.1", failing(wire.NXDOMAIN))
    second = ground.upstream("", "127.0.0.2", answering("192.0.2.2"))
    ground.container(("host", "127.0.0.1"), ("host", "127.0.0.2"))
    assert "status: NXDOMAIN" in ground.dig("example.org")
    assert second.asked == []
    first.role = failing(wire.SERVFAIL)
    assert ground.dig("+short", "example.org") == "192.0.2.2\n"


def test_silence_is_left_after_four_seconds(ground: Stage) -> None:
    """And meanwhile others are answered at once."""
    ground.upstream("", "127.0.0.1", silent)
    ground.upstream("", "127.0.0.2", answering("192.0.2.2"))
    ground.container(("host", "127.0.0.1"), ("host", "127.0.0.2"))
    began = time.monotonic()
    slow = ground.socket()
    slow.send(wire.query("example.org", 1, 7))
    assert ground.dig("+short", "web") == "10.0.0.2\n"
    assert time.monotonic() - began < 2
    assert slow.recv(512)[-4:] == bytes((192, 0, 2, 2))
    assert 3.9 < time.monotonic() - began < 5
    slow.close()


def test_a_fourth_upstream_is_not_asked(ground: Stage) -> None:
    """Three, then SERVFAIL."""
    asked = [ground.upstream("", f"127.0.0.{last}", failing(wire.REFUSED)) for last in (1, 2, 3)]
    fourth = ground.upstream("", "127.0.0.4", answering("192.0.2.4"))
    ground.container(*(("host", f"127.0.0.{last}") for last in (1, 2, 3, 4)))
    assert "status: SERVFAIL" in ground.dig("example.org")
    assert [len(one.asked) for one in (*asked, fourth)] == [1, 1, 1, 0]


def test_an_internal_container_asks_nobody_from_the_host(ground: Stage) -> None:
    """But the servers the user named, from the container; a container with a way out asks the host's."""
    inside = ground.upstream("", "127.0.0.1", answering("192.0.2.1"))
    ground.container(("host", "127.0.0.1"), internal=True)
    assert "status: SERVFAIL" in ground.dig("example.org")
    assert inside.asked == []
    chosen = ground.upstream("", HOST_END, answering("192.0.2.5"))
    ground.container(("container", HOST_END), internal=True)
    assert ground.dig("+short", "example.org") == "192.0.2.5\n"
    ground.container(("host", "127.0.0.1"))
    assert ground.dig("+short", "example.org") == "192.0.2.1\n"
    assert [peer for peer, _ in chosen.asked] == [GUEST]


def test_a_guessed_answer_is_not_believed(ground: Stage) -> None:
    """A wrong identity or another question; the right one, later, is."""
    def role(query: bytes) -> bytes:
        upstream._udp.sendto(b"\0\0" + wire.reply(query, len(query))[2:], peer())
        return answering("192.0.2.6")(query)  # type: ignore[return-value]

    def peer() -> tuple[str, int]:
        ports = ground.host.shell("ss -Hnu dst 127.0.0.1:53").split()
        return "127.0.0.1", int(next(word for word in ports if word.startswith("127.0.0.1:")).rpartition(":")[2])

    upstream = ground.upstream("", "127.0.0.1", role)
    ground.container(("host", "127.0.0.1"))
    query = wire.query("example.org", 1, 7)
    client = ground.socket()
    client.send(query)
    assert client.recv(512) == wire.reply(query, len(query), wire.record(1, 60, bytes((192, 0, 2, 6))), 1)
    client.close()


def test_beyond_1024_questions_wait_and_are_refused_after_4_s(ground: Stage) -> None:
    """Docker's limit: here each question takes two upstreams' silence. A known name is answered all the same."""
    for address in ("127.0.0.1", "127.0.0.2"):
        ground.upstream("", address, silent)
    ground.container(("host", "127.0.0.1"), ("host", "127.0.0.2"))
    client = ground.socket()
    client.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: all give up at the same moment
    began, most = time.monotonic(), forwarding.MAX_AT_ONCE
    for number in range(most + 6):
        client.send(wire.query(f"name{number}.example.org", 1, number))
        if number % 50 == 49:
            time.sleep(0.02)
    assert ground.dig("+short", "web") == "10.0.0.2\n"
    assert time.monotonic() - began < 3.5
    refused = [client.recv(512) for _ in range(6)]
    assert 3.9 < time.monotonic() - began < 6
    assert [(int.from_bytes(one[:2], "big"), wire.code_of(one)) for one in refused] == [
        (most + number, wire.REFUSED) for number in range(6)]
    assert {wire.code_of(client.recv(512)) for _ in range(most)} == {wire.SERVFAIL}
    assert time.monotonic() - began > 7.9
    assert until(lambda: len(os.listdir(f"/proc/{ground.server_pid()}/fd")), lambda fds: fds < 20) < 20
    client.close()


def frame(message: bytes) -> bytes:
    """A message with its length."""
    return len(message).to_bytes(2, "big") + message


def test_slow_and_broken_tcp_clients_harm_nobody(ground: Stage) -> None:
    """Byte by byte, many at once, pipelined, too long, half a frame, hundreds of idle ones."""
    ground.container()
    query = wire.query("web", 1, 9)
    slow = ground.socket(stream=True)
    for byte in frame(query):
        slow.send(bytes((byte,)))
    assert slow.recv(512)[-4:] == bytes((10, 0, 0, 2))
    slow.sendall(frame(query) * 40)
    got = b""
    while len(got) < 40 * 39:
        got += slow.recv(4096)
    assert got.count(bytes((10, 0, 0, 2))) == 40
    greedy = ground.socket(stream=True)
    greedy.send(b"\xff\xff" + bytes(100))
    assert greedy.recv(10) == b""  # cut off at once
    crowd = [ground.socket(stream=True) for _ in range(200)]
    for one in crowd:
        one.send(b"\0")
    assert ground.dig("+short", "+tcp", "web") == "10.0.0.2\n"
    assert len(os.listdir(f"/proc/{ground.server_pid()}/fd")) < 90
    began = time.monotonic()
    assert crowd[-1].recv(1) == b"" if _readable(crowd[-1], 9) else False  # idle for 8 s
    assert time.monotonic() - began > 6
    for one in (slow, greedy, *crowd):
        one.close()


def _readable(one: object, seconds: float) -> bool:
    return bool(select.select([one], [], [], seconds)[0])


def test_a_client_that_hangs_up_while_it_waits_is_forgotten(ground: Stage) -> None:
    """Its answer comes, and goes nowhere; no descriptor stays."""
    ground.upstream("", "127.0.0.1", silent)
    ground.container(("host", "127.0.0.1"))
    before = len(os.listdir(f"/proc/{ground.server_pid()}/fd"))
    for _ in range(20):
        one = ground.socket(stream=True)
        one.send(frame(wire.query("example.org", 1, 9)))
        one.close()
    assert len(os.listdir(f"/proc/{ground.server_pid()}/fd")) > before
    assert until(lambda: len(os.listdir(f"/proc/{ground.server_pid()}/fd")), lambda fds: fds == before, 7) == before
    assert ground.dig("+short", "web") == "10.0.0.2\n"


def memory(pid: int) -> int:
    """What a process has for itself alone, kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def flood(ground: Stage, messages: list[bytes]) -> None:
    """Send them all; a good question after each fifty keeps pace with the server."""
    client, good = ground.socket(), wire.query("web", 1, 0xBEEF)
    for start in range(0, len(messages), 50):
        for message in messages[start : start + 50]:
            client.send(message or b"\0")
        client.send(good)
        while client.recv(4096) != wire.reply(good, len(good), wire.record(1, 600, bytes((10, 0, 0, 2))), 1):
            pass
    client.close()


def test_a_hundred_thousand_broken_messages(ground: Stage) -> None:
    """Neither stop the server nor make it grow; each good question between them is answered."""
    ground.container(("host", "127.0.0.1"))  # nobody there: refused at once
    chance = random.Random(7)
    pid = ground.server_pid()
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    flood(ground, [nonsense(chance) for _ in range(20_000)])
    before = memory(pid)
    for _ in range(4):
        flood(ground, [nonsense(chance) for _ in range(20_000)])
    assert ground.server_pid() == pid
    assert until(lambda: len(os.listdir(f"/proc/{pid}/fd")), lambda now: now == descriptors) == descriptors
    assert memory(pid) - before < 300
    assert memory(pid) < 8192


def test_killed_under_load_it_is_back_and_the_container_resolves(ground: Stage) -> None:
    """What a monitor does twice a second is enough; the container keeps its port."""
    ground.container()
    client = ground.socket()
    first = ground.server_pid()
    for _ in range(3):
        for number in range(200):
            client.send(wire.query("web", 1, number))
        pid = ground.server_pid()
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        assert until(lambda: keeper.ensure(ground.run, wait=False), bool, 1)
        until(lambda: _asked_anew(client), bool, 1)
        assert time.monotonic() - began < 1
        assert ground.server_pid() not in (0, pid)
    assert first != ground.server_pid()
    client.close()


def _asked_anew(client: socket.socket) -> bool:
    """Is a question answered?"""
    query = wire.query("web", 1, int.from_bytes(os.urandom(2), "big"))
    client.settimeout(0.05)
    try:
        client.send(query)
        while not (answer := client.recv(512)).startswith(query[:2]):
            pass  # an old one
    except OSError:
        return False
    return answer[-4:] == bytes((10, 0, 0, 2))


def test_only_one_runs_however_many_start_it(ground: Stage) -> None:
    """The lock is the server's from before its birth to its end."""
    ground.container(attend=False)
    children = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            os._exit(int(keeper.ensure(ground.run)))
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(codes) == [0] * 9 + [1]
    assert keeper.ensure(ground.run) is False


def test_a_dead_container_keeps_neither_socket_nor_namespace(ground: Stage) -> None:
    """At the moment its first process dies, rows or not; the cable goes with the namespace."""
    ground.container()
    assert "vdns" in ground.host.shell("ip -o link")
    pid = ground.server_pid()
    before = len(os.listdir(f"/proc/{pid}/fd"))
    ground.process.kill()
    assert until(lambda: len(os.listdir(f"/proc/{pid}/fd")), lambda fds: fds == before - 3, 0.5) == before - 3
    netns.delete(SANDBOX)
    assert "vdns" not in until(lambda: ground.host.shell("ip -o link"), lambda text: "vdns" not in text)


def test_it_ends_with_the_last_row_and_comes_with_the_next(ground: Stage) -> None:
    """No helper without a container."""
    ground.container()
    pid = ground.server_pid()
    assert pid
    ground.sql.execute("DELETE FROM resolvers")
    assert until(ground.server_pid, lambda found: not found) == 0
    ground.container()
    assert ground.dig("+short", "web") == "10.0.0.2\n"
    assert ground.server_pid() != pid


def test_another_process_with_the_same_pid_is_not_served(ground: Stage) -> None:
    """The start time tells them apart."""
    ground.container(attend=False)
    ground.sql.execute("UPDATE resolvers SET pid_started = pid_started + 1")
    with pytest.raises(MinidockError, match="is another one now"):
        process.attend(ground.run, "me")
    ground.sql.execute("UPDATE resolvers SET pid_started = ?", (started(ground.process.pid),))
    process.attend(ground.run, "me")


def test_trace_tells_every_decision(ground: Stage) -> None:
    """Scope, network, upstream, namespace, time; and what the server itself says."""
    ground.upstream("", "127.0.0.1", failing(wire.SERVFAIL))
    ground.upstream("", HOST_END, answering("192.0.2.5"))
    ground.container(("host", "127.0.0.1"), ("container", HOST_END), ("container", "127.0.0.11"))
    found = tables.read(ground.run)
    row = trace.resolver(found, "me", "me")
    ours = list(trace.trace(found, row, "web", 1))
    assert ours[1:] == ["networks searched, in this order: net1", "network net1 knows web: 1 address",
                        "answer: NOERROR, 10.0.0.2, TTL 600 s", "the server itself says: NOERROR, A 10.0.0.2"]
    theirs = list(trace.trace(found, row, "example.org", 1))
    assert "upstream 127.0.0.11: not asked: that is this server itself" in theirs
    assert any(line.startswith("upstream 127.0.0.1, asked from the host's namespace: SERVFAIL") for line in theirs)
    assert any(line.startswith(f"upstream {HOST_END}, asked from {SANDBOX}: NOERROR, A 192.0.2.5 after")
               for line in theirs)
    assert theirs[-1] == "the server itself says: NOERROR, A 192.0.2.5"


def test_it_needs_little(ground: Stage) -> None:
    """8 MB at most, with 500 names."""
    for number in range(500):
        ground.name(f"name{number}", f"10.0.{number // 250}.{number % 250 + 1}", f"n{number}")
    ground.container()
    client = ground.socket()
    for number in range(500):
        client.send(wire.query(f"name{number}", 1, number))
        assert client.recv(512)[7] == 1
    assert 1024 < memory(ground.server_pid()) < 8192
    client.close()
