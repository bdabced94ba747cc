"""Who reaches what: Docker's table, each row in each gateway mode and both families, by packets.

What must not be reached has a control in the same run: rules taken away, or a door beside it that is open. And for
each packet that can be sent, `firewall.reach` has foretold from the kernel's rules what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6

from minidock.app import reaching
from minidock.app.context import App
from minidock.firewall import reach
from minidock.firewall.audience import Scene
from minidock.firewall.matching import Packet, span
from minidock.model.record import Record
from minidock.probes.tap import Tap
from tests.ground import Host
from tests.wire.crowd import Question, answers
from tests.wire.stage import ADDRESSES, Stage, forge, serving, staged

MODES = ("nat", "nat-unprotected", "routed", "internal", "isolated")
# br: only while bridges show their frames to iptables. ::1 is relayed: the kernel routes no answer to it.
# gateway: the address of the asker's own network's; outside to loopback: a frame forged on the LAN.
TABLE = """
from     to              nat  nat-unprotected  routed  internal  isolated
outside  host:8080       yes  yes              no      no        no
outside  container:80    no   yes              yes     no        no
outside  container:81    no   yes              no      no        no
outside  container:ping  no   yes              yes     no        no
outside  loopback:8081   no   no               no      no        no
host     container:80    yes  yes              yes     yes       no
host     container:81    yes  yes              yes     yes       no
host     container:ping  yes  yes              yes     yes       no
host     host:8080       yes  yes              no      no        no
host     loopback:8080   yes  yes              no      no        no
host     loopback:8081   yes  yes              no      no        no
near     container:80    yes  yes              yes     yes       yes
near     container:81    yes  yes              yes     yes       yes
near     container:ping  yes  yes              yes     yes       yes
near     host:8080       br   br               no      no        no
near     gateway:8080    br   br               no      no        no
far      host:8080       yes  yes              no      no        no
far      gateway:8080    yes  yes              no      no        no
far      container:80    no   yes              yes     no        no
far      container:81    no   yes              no      no        no
far      container:ping  no   yes              yes     no        no
web      host:8080       yes  yes              no      no        no
web      gateway:8080    yes  yes              no      no        no
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
OPEN = """for iptables in iptables ip6tables; do
    $iptables -t raw -F PREROUTING; $iptables -I MINIDOCK-USER -j ACCEPT; done"""


class Cell(Record):
    """One row of the table in one family."""

    source: str
    target: str
    port: str
    version: int

    @property
    def expected(self) -> dict[str, str]:
        """Mode by mode, as written in the table."""
        return next(dict(zip(MODES, row[2:], strict=True)) for row in ROWS
                    if row[:2] == [self.source, f"{self.target}:{self.port}"])

    @property
    def address(self) -> str:
        """The one that is asked."""
        own = {"near": "br0", "web": "br0", "far": "br1"}
        name = own[self.source] if self.target == "gateway" else self.target
        return ADDRESSES[name][self.version == 6]

    @property
    def forged(self) -> bool:
        """Can only a forged frame ask this?"""
        return (self.source, self.target) == ("outside", "loopback")

    def has_door(self, mode: str) -> bool:
        """Can the asker reach the host at this address, so that port 9000 is the control?

        An internal network has no way out but its gateway's address, an isolated one not even that.
        """
        out = self.source not in ("near", "web") or mode.startswith("nat") or mode == "routed"
        there = {"host": out, "loopback": out, "gateway": out or mode == "internal"}
        return not self.forged and there.get(self.target, False)

    def question(self, places: dict[str, str], port: str = "") -> Question:
        """The same as a packet's beginning."""
        return Question(places[self.source], self.address, int((port or self.port).replace("ping", "0")))

    def reached(self, mode: str, bridged: str) -> bool:
        """Says the table yes?"""
        word = self.expected[mode]
        return word == "yes" or (word == "br" and bridged == "1")


CELLS = [Cell(row[0], *row[1].split(":"), version) for row in ROWS for version in (4, 6)]


@pytest.fixture
def door(host: Host) -> Iterator[None]:
    """The host itself serves at port 9000, in every mode."""
    with serving("", 9000, lambda asker: "9000"):
        yield


def measured(stage: Stage, hoped_for: set[Cell]) -> dict[Cell, str]:
    """What every cell's question is answered with."""
    questions = {cell: cell.question(stage.places) for cell in CELLS if not cell.forged}
    with Tap(stage.places["web"], "eth0") as tap:
        for cell in CELLS:
            if cell.forged:
                forge(stage.host, cell.address, int(cell.port), 40081)
        said = answers(questions.values(), {questions[cell] for cell in hoped_for if cell in questions})
        heard = {cell: bool(tap.wait_for(_forged(cell.version, 40081), 1 if cell in hoped_for else 0.05))
                 for cell in CELLS if cell.forged}
    return {cell: said[questions[cell]] if cell in questions else "80" if heard[cell] else "silence" for cell in CELLS}


def _forged(version: int, source_port: int) -> Callable[[Any], bool]:
    return lambda packet: TCP in packet and packet[TCP].sport == source_port and (IPv6 in packet) == (version == 6)


def is_reached(cell: Cell, answer: str) -> bool:
    """Did web itself answer, at the right port?"""
    return answer == {"ping": "pong", "81": "81"}.get(cell.port, "80")


def seen() -> tuple[Scene, set[int]]:
    """What the evaluator knows: the kernel's rules now; and the host ports that the helper process carries."""
    app = App()
    try:
        web = app.state.containers.find("web").id
        ports = [item for end in app.state.runs.endpoints(container_id=web) for item in end.published]
        return reaching.seen(app), {item.host_port for item in ports if item.carried}
    finally:
        app.close()


def foretold(scene: Scene, cell: Cell) -> reach.Answer:
    """What the evaluator says of a cell's packet."""
    port = int(cell.port) if cell.port != "ping" else 0
    proto = "tcp" if port else "icmp" if cell.version == 4 else "ipv6-icmp"
    if cell.source == "host":
        return reach.fate(scene.host, scene.rules, reach.made_here(scene.host, ip_address(cell.address), proto, port,
                                                                   port))
    device = {"outside": "up0", "far": "lab1"}.get(cell.source, "lab")
    name = {"outside": "client", "web": "container"}.get(cell.source, cell.source)
    source = span(ip_network(ADDRESSES[name][cell.version == 6]))
    return reach.fate(scene.host, scene.rules,
                      Packet(frozenset((device,)), (source,), ip_address(cell.address), proto, port, port))


def check_foretold(found: dict[Cell, str]) -> None:
    """The evaluator says for each packet that could be sent what happened to it."""
    scene, carried = seen()
    for cell, answer in found.items():
        end = foretold(scene, cell)
        inside = ip_address(ADDRESSES["container"][cell.version == 6])
        port = {"ping": 0, "81": 81}.get(cell.port, 80)
        if answer != "no way out":
            relayed = end.what == reach.LOCAL and cell.version == 6 and end.place and end.place[1] in carried
            said = (end.what == reach.DELIVERED and end.place == (inside, port)) or bool(relayed)
            assert said == is_reached(cell, answer) and end.what not in (reach.SOME, reach.UNKNOWN), (cell, answer, end)


def show(mode: str, bridged: str, found: dict[Cell, str]) -> None:
    """Print the table as it was measured."""
    print(f"\n{mode}, bridge-nf-call {bridged}: IPv4, IPv6")
    for row in ROWS:
        cells = [cell for cell in CELLS if [cell.source, f"{cell.target}:{cell.port}"] == row[:2]]
        print(f"{row[0]:<9}{row[1]:<16}" + "".join(f"{found[cell]:<12}" for cell in cells))


def compare(stage: Stage, bridged: str, found: dict[Cell, str]) -> None:
    """The packets did what the table says, and what the evaluator foretold."""
    show(stage.mode, bridged, found)
    wrong = {cell: answer for cell, answer in found.items()
             if is_reached(cell, answer) != cell.reached(stage.mode, bridged)}
    assert not wrong, wrong
    check_foretold(found)


@pytest.mark.parametrize("mode", MODES)
def test_who_reaches_what(host: Host, outside: str, door: None, mode: str) -> None:
    """The table. What is not reached is, once the rules are opened; or its neighbour door at port 9000 is."""
    stage = staged(host, mode)
    for bridged in ("0", "1"):
        stage.bridged(bridged)
        found = measured(stage, {cell for cell in CELLS if cell.reached(mode, bridged)})
        compare(stage, bridged, found)
    check_controls(stage, found)


def check_controls(stage: Stage, found: dict[Cell, str]) -> None:
    """Every negative's control, bridges showing their frames."""
    closed = [cell for cell in CELLS if not is_reached(cell, found[cell])]
    beside = {cell.question(stage.places, "9000") for cell in closed if cell.has_door(stage.mode)}
    said = answers(beside, beside)
    assert set(said.values()) <= {"9000"}, said
    mute = {cell.source for cell in closed if not cell.has_door(stage.mode) and cell.source in ("near", "web")}
    assert all(is_reached(cell, found[cell]) for cell in CELLS if cell.source in mute and cell.target == "container")
    if stage.mode != "isolated":  # there the host has no address in the network; near has reached it
        stage.host.shell(OPEN)
        for version, gateway in (("-4", ADDRESSES["br0"][0]), ("-6", ADDRESSES["br0"][1])):
            stage.host.shell(f"ip {version} -n {stage.places['web']} route replace default via {gateway}")
        inside = {cell for cell in closed if cell.target == "container" or (cell.forged and cell.version == 4
                                                                             and stage.mode.startswith("nat"))}
        again = measured(stage, inside)
        assert all(is_reached(cell, again[cell]) for cell in inside), {cell: again[cell] for cell in inside}
        check_foretold({cell: answer for cell, answer in again.items() if cell.source not in mute})
        check_forging(stage)


def check_forging(stage: Stage) -> None:
    """A forged frame for the container's own address arrives, now that nothing stops it."""
    with Tap(stage.places["web"], "eth0") as tap:
        for version, address in zip((4, 6), ADDRESSES["container"], strict=True):
            forge(stage.host, address, 80, 40082)
            assert tap.wait_for(_forged(version, 40082), 2)
