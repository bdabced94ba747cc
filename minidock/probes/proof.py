"""The proof language: what must be seen on the wire, and what must not.

    def check(lab):
        ext, web = lab.place("ext"), lab.container("web")
        (lab.positive("client reaches web")
            .send(ext, tcp("198.51.100.2", 8080))
            .expect(at=web.eth0, dport=80, src=ext.eth0.ip)       # the source is preserved
            .expect_reply(at=ext.eth0, src="198.51.100.2"))
        (lab.negative("5432 stays private", control="client reaches web")
            .send(ext, tcp("198.51.100.2", 5432)).never(at=web.eth0))

Every probe carries a fresh nonce, and `seen` means that the nonce was seen. A negative without a positive control is
refused when the check is loaded; if its control fails, it is not proven. Declaring reads nothing: `trial` runs it all.
"""

from __future__ import annotations

import os

from minidock.errors import BadRequest
from minidock.model.record import Record
from minidock.probes.packets import Packet
from minidock.probes.places import Device, Place, container
from minidock.probes.words import Say

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

WITHIN_SECONDS = 0.4
PROVEN, DISPROVEN, UNTESTED = "proven", "disproven", "untested"


class Expectation(Record):
    """What one tap shall see of one probe, or shall not."""

    at: Device
    what: str  # probe, reply, error, question, syn
    headers: dict[str, Any]
    within: float = WITHIN_SECONDS
    count: int | None = None
    responders: int | None = None
    that: Callable[[dict[str, Any]], object] | None = None
    same_as: Device | None = None
    took: tuple[float, float] | None = None
    who: Any = None
    never: bool = False


class Outcome(Record):
    """How one proof went."""

    key: str
    verdict: str
    reasons: tuple[Say, ...]
    frames: tuple[str, ...] = ()
    mistake: str = ""
    why_untested: str = ""


class Proof:
    """One sentence that packets prove. Its methods return it, so that it reads as one."""

    def __init__(self, key: str, stage: int, control: str | None) -> None:
        self.key, self.round, self.control = key, stage, control
        self.sender: Place | Device | None = None
        self.packet: Packet | None = None
        self.times = 1
        self.command: list[str] = []
        self.command_within = 1.0
        self.wanted: list[Expectation] = []
        self.prints_text: Any = None
        self.exit_ok: bool | None = None
        self.question: Callable[[], object] | None = None
        self.causes: list[tuple[str, Callable[[], object]]] = []
        self.nonce = os.urandom(8)
        self.outcome: Outcome | None = None
        self.heard: Callable[[Device], list[dict[str, Any]]] = lambda device: []

    @property
    def negative(self) -> bool:
        """Does it claim that something is not seen?"""
        return self.control is not None

    # What is done

    def send(self, sender: Place | Device, packet: Packet, times: int = 1) -> Self:
        """Send it from a place (the kernel routes it) or out of a device (arp, nd, frame must)."""
        self.sender, self.packet, self.times = sender, packet, times
        return self

    def run(self, where: Place, command: str, within: float = 1.0) -> Self:
        """Run a command there, for what needs a conversation (curl); {nonce} in it becomes the nonce's 16 digits."""
        self.sender, self.command_within = where, within
        self.command = ["sh", "-c", command.replace("{nonce}", self.nonce.hex())]
        return self

    # What must be seen

    def expect(self, at: Device, within: float = WITHIN_SECONDS, count: int | None = None,
               that: Callable[[dict[str, Any]], object] | None = None, same_as: Device | None = None,
               took: tuple[float, float] | None = None, **fields: Any) -> Self:
        """The tap there sees the probe, with these fields; count: so many of them; same_as: the same bytes as there;
        took: between so many and so many seconds after it was sent, by the kernel's clock."""
        self.wanted.append(Expectation(at, "probe", fields, within, count, None, that, same_as, took))
        return self

    def expect_reply(self, at: Device, within: float = WITHIN_SECONDS, responders: int | None = None,
                     **fields: Any) -> Self:
        """The tap there sees the answer: echo, SYN-ACK, ARP or neighbour advertisement."""
        self.wanted.append(Expectation(at, "reply", fields, within, None, responders))
        return self

    def expect_error(self, at: Device, icmp: tuple[int, int], within: float = WITHIN_SECONDS, **fields: Any) -> Self:
        """The tap there sees an ICMP error about the probe: (3, 3) is port unreachable, (3, 4) frag needed."""
        self.wanted.append(Expectation(at, "error", {**fields, "icmp": icmp}, within))
        return self

    def expect_question(self, at: Device, who: Any, within: float = WITHIN_SECONDS,
                        that: Callable[[dict[str, Any]], object] | None = None, **fields: Any) -> Self:
        """The tap there sees a kernel ask for this address's MAC (ARP or neighbour solicitation) to send the probe."""
        self.wanted.append(Expectation(at, "question", fields, within, that=that, who=who))
        return self

    def expect_syn(self, at: Device, to: Any, within: float = WITHIN_SECONDS,
                   that: Callable[[dict[str, Any]], object] | None = None, **fields: Any) -> Self:
        """The tap there sees a kernel's own SYN to this address, since the command began: its options tell (mss)."""
        self.wanted.append(Expectation(at, "syn", fields, within, that=that, who=to))
        return self

    def never(self, at: Device, within: float = 0.3, **fields: Any) -> Self:
        """The tap there never sees the probe (with these fields)."""
        self.wanted.append(Expectation(at, "probe", fields, within, never=True))
        return self

    def never_reply(self, at: Device, within: float = 0.3, **fields: Any) -> Self:
        """The tap there never sees an answer."""
        self.wanted.append(Expectation(at, "reply", fields, within, never=True))
        return self

    def prints(self, text: Any) -> Self:
        """The command's output contains this."""
        self.prints_text = text
        return self

    def succeeds(self) -> Self:
        """The command ends with 0."""
        self.exit_ok = True
        return self

    def fails(self) -> Self:
        """The command does not."""
        self.exit_ok = False
        return self

    def never_question(self, at: Device, who: Any, within: float = 0.3, **fields: Any) -> Self:
        """The tap there never sees anybody ask for this address's MAC (with these fields)."""
        self.wanted.append(Expectation(at, "question", fields, within, who=who, never=True))
        return self

    # What it means

    def because(self, mistake: str, when: Callable[[], object] = lambda: True) -> Self:
        """If this proof fails and `when` is so, the learner made this mistake; the first that fits is told."""
        self.causes.append((mistake, when))
        return self

    @property
    def passed(self) -> bool:
        """After the run: is it proven?"""
        return self.outcome is not None and self.outcome.verdict == PROVEN

    @property
    def failed(self) -> bool:
        """After the run: is it not?"""
        return self.outcome is not None and self.outcome.verdict != PROVEN

    def saw(self, at: Device, **fields: Any) -> bool:
        """After the run: did the tap there see the probe (or an answer that carries its nonce)?"""
        return any(all(said.get(name) == wanted for name, wanted in fields.items()) for said in self.heard(at))


class Lab:
    """What a check declares its proofs on."""

    def __init__(self, variables: dict[str, Any], stage: int = 1, prediction: str = "") -> None:
        self.vars, self.stage, self.prediction = Variables(variables), stage, prediction
        self.host = Place()
        self.proofs: list[Proof] = []
        self.extra: list[Device] = []
        self._round = 0

    def place(self, name: str, locate: Callable[[], str] | None = None) -> Place:
        """A named network namespace; `locate` says its name in /run/netns when that must first be found out."""
        return Place(name, name, locate)

    def container(self, name: str) -> Place:
        """The network namespace of a running container."""
        return container(name)

    def positive(self, key: str) -> Proof:
        """Something that packets must show."""
        return self._added(Proof(key, self._round, None))

    def negative(self, key: str, control: str = "") -> Proof:
        """Something that packets must not show, while the positive proof `control` shows that they could have."""
        if not control:
            raise BadRequest(f"check.py: the negative proof {key!r} has no control: silence alone proves nothing",
                             'name a positive proof of the same check: lab.negative(…, control="…")')
        return self._added(Proof(key, self._round, control))

    def state(self, key: str, question: Callable[[], object]) -> Proof:
        """Something that the kernel must say; the answer is True, or whatever is wrong instead."""
        proof = self._added(Proof(key, self._round, None))
        proof.question = question
        return proof

    def then(self) -> None:
        """What is declared from here on is sent when all before it has been seen, or is over."""
        self._round += 1

    def listen(self, *devices: Device) -> None:
        """Tap these devices too, for causes and as evidence."""
        self.extra += devices

    def _added(self, proof: Proof) -> Proof:
        if any(proof.key == other.key for other in self.proofs):
            raise BadRequest(f"check.py: two proofs are called {proof.key!r}", "every proof has a key of its own")
        self.proofs.append(proof)
        return proof

    def load(self) -> None:
        """Refuse what could not prove anything, before a packet is sent."""
        by_key = {proof.key: proof for proof in self.proofs}
        for proof in self.proofs:
            _refuse_empty(proof)
            if proof.negative:
                _refuse_control(proof, by_key.get(proof.control or ""))
        if not any(_carries(proof) for proof in self.proofs):
            raise BadRequest("check.py: no positive proof is made of packets", "lab.positive(…).send(…).expect(at=…)")


class Variables:
    """The seeded values of this learner, by name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise BadRequest(f"check.py: lab.toml has no variable {name}", "declare it in [vars]")


def _carries(proof: Proof) -> bool:
    """Is it positive, and made of packets?"""
    return not proof.negative and bool(proof.sender) and (bool(proof.wanted) or proof.prints_text is not None)


def _refuse_empty(proof: Proof) -> None:
    wants = bool(proof.wanted) or proof.prints_text is not None or proof.exit_ok is not None
    if proof.question is None and not (proof.sender is not None and wants):
        raise BadRequest(f"check.py: the proof {proof.key!r} sends or expects nothing",
                         ".send(…).expect(at=…), or lab.state(…)")
    if proof.negative and not any(each.never for each in proof.wanted) and proof.exit_ok is not False:
        raise BadRequest(f"check.py: the negative proof {proof.key!r} says nothing of what must not be seen",
                         ".never(at=…), or make it lab.positive(…)")
    if not proof.negative and any(each.never for each in proof.wanted):
        raise BadRequest(f"check.py: {proof.key!r} says never, but it is not a negative proof with a control",
                         f'lab.negative({proof.key!r}, control="…")')


def _refuse_control(proof: Proof, control: Proof | None) -> None:
    if control is None or not _carries(control):
        raise BadRequest(f"check.py: the control of {proof.key!r}, {proof.control!r}, is no positive proof made of "
                         "packets", "name one that sends a packet and sees it arrive")
