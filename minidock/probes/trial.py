"""Running a check: all taps first, then the probes of each round together and one wait, then the judgement."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time

from minidock.model.record import Record
from minidock.probes import judging, sending
from minidock.probes.places import Device
from minidock.probes.proof import Lab, Outcome, Proof
from minidock.probes.tap import Frame, Tap
from minidock.probes.words import Say, Unproven, say

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_OUTPUT_BYTES = 65536


class Verdict(Record):
    """How a whole check went, with the frames that prove it."""

    outcomes: tuple[Outcome, ...]
    seconds: float
    pcapng: bytes

    @property
    def passed(self) -> bool:
        """Is every proof proven?"""
        return all(outcome.verdict == "proven" for outcome in self.outcomes)

    @property
    def mistake(self) -> str:
        """The first mistake that was recognised."""
        return next((outcome.mistake for outcome in self.outcomes if outcome.mistake), "")


class Heard:
    """One frame at one tap; dissected when first asked for."""

    number = 0  # in the evidence, from 1

    def __init__(self, device: str, frame: Frame) -> None:
        self.device, self.frame = device, frame
        self._fields: dict[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """What its headers say."""
        if self._fields is None:
            from minidock.probes.headers import read

            self._fields = {**read(self.frame.data), "outgoing": self.frame.outgoing}
        return self._fields


class Ear:
    """A tap, or why there is none."""

    def __init__(self, device: Device) -> None:
        self.label = device.label
        self.tap: Tap | None = None
        self.missing: Say | None = None
        self._heard: list[Heard] = []
        try:
            where, link = device.place.where, device.link
            self.tap = Tap(where, device.name)
            if not link.up:
                self.missing = say("device-down", device=device.label)
        except Unproven as unproven:
            self.missing = unproven.say
        except OSError as error:
            self.missing = say("not-sent", place=device.label, error=error.strerror)

    def heard(self) -> list[Heard]:
        """All frames so far."""
        if self.tap:
            with contextlib.suppress(OSError):  # ENETDOWN, once
                frames = self.tap.heard()
                self._heard += [Heard(self.label, frame) for frame in frames[len(self._heard):]]
        return self._heard


class Flight:
    """One proof under way: what was sent, when, and what its command said."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.sent: sending.Sent | None = None
        self.failure: Say | None = None
        self.unproven = False
        self.process: subprocess.Popen[str] | None = None
        self.exit_code: int | None = None
        self.output = ""
        self.answer: object = True
        self.began = time.monotonic()
        self.began_ns = time.time_ns()

    def take_off(self) -> None:
        """Send it, start it or ask it."""
        proof, self.began, self.began_ns = self.proof, time.monotonic(), time.time_ns()
        try:
            if proof.question is not None:
                self.answer = proof.question()
            elif proof.command:
                self.process = proof.sender.start(proof.command)  # type: ignore[union-attr]
            else:
                assert proof.sender is not None and proof.packet is not None
                self.sent = sending.send(proof.sender, proof.packet, proof.nonce, proof.times)
        except Unproven as unproven:
            self.failure, self.unproven = unproven.say, True
        except OSError as error:
            label = proof.sender.label if proof.sender else proof.key
            self.failure = say("not-sent", place=label, error=error.strerror or error)

    def ended(self) -> bool:
        """Has its command ended? One that takes too long is killed."""
        if self.process is None or self.exit_code is not None:
            return True
        if self.process.poll() is None:
            if time.monotonic() - self.began < self.proof.command_within:
                return False
            self.process.kill()
            self.failure = say("late", ms=round(self.proof.command_within * 1000))
        self.output = (self.process.communicate()[0] or "")[:_OUTPUT_BYTES]
        self.exit_code = self.process.returncode
        return True

    @property
    def deadline(self) -> float:
        """Until when it may still be proven, or disproven."""
        waits = [wanted.within for wanted in self.proof.wanted] if not self.failure else []
        return self.began + max(waits, default=0.0)


class Trial:
    """One run of one check."""

    def __init__(self, lab: Lab) -> None:
        lab.load()
        self.lab = lab
        self.ears: dict[str, Ear] = {}
        self.flights: dict[str, Flight] = {}

    def run(self) -> Verdict:
        """Send everything, wait, judge."""
        warm()
        began = time.monotonic()
        try:
            self._listen()
            for number in sorted({proof.round for proof in self.lab.proofs}):
                self._round([proof for proof in self.lab.proofs if proof.round == number])
            frames = self._numbered()
            outcomes = judging.judge(self)
            return Verdict(tuple(outcomes), time.monotonic() - began, self._evidence(frames))
        finally:
            self._close()

    def _listen(self) -> None:
        devices = [*self.lab.extra]
        for proof in self.lab.proofs:
            for wanted in proof.wanted:
                devices += [wanted.at, *([wanted.same_as] if wanted.same_as else [])]
        for device in devices:
            if device.label not in self.ears:
                self.ears[device.label] = Ear(device)

    def _round(self, proofs: list[Proof]) -> None:
        flights = [Flight(proof) for proof in proofs]
        for flight in flights:
            self.flights[flight.proof.key] = flight
            flight.proof.heard = self._hearing(flight)
            flight.take_off()
        taps = [ear.tap for ear in self.ears.values() if ear.tap]
        while not self._over(flights):
            left = max(flight.deadline for flight in flights) - time.monotonic()
            busy = any(not flight.ended() for flight in flights)
            select.select(taps, [], [], 0.01 if busy else max(0.001, left))
            for ear in self.ears.values():
                ear.heard()  # a frame that is left unread would end the next wait at once

    def _over(self, flights: list[Flight]) -> bool:
        """Has everything ended, and been seen or waited for?"""
        ended = [flight.ended() for flight in flights]
        now = time.monotonic()
        return all(ended) and all(now >= flight.deadline or judging.satisfied(self, flight) for flight in flights)

    def _hearing(self, flight: Flight) -> Callable[[Device], list[dict[str, Any]]]:
        return lambda device: [heard.fields for heard in judging.carriers(self, flight, device)]

    def _numbered(self) -> list[Heard]:
        frames = sorted((heard for ear in self.ears.values() for heard in ear.heard()),
                        key=lambda heard: heard.frame.nanoseconds)
        for number, heard in enumerate(frames, 1):
            heard.number = number
        return frames

    def _evidence(self, frames: list[Heard]) -> bytes:
        from minidock.probes import pcapng

        return pcapng.written([(heard.device, heard.frame) for heard in frames])

    def _close(self) -> None:
        for ear in self.ears.values():
            if ear.tap:
                ear.tap.close()
        for flight in self.flights.values():
            if flight.sent and flight.sent.socket:
                flight.sent.socket.close()
            if flight.process and flight.process.poll() is None:
                flight.process.kill()
                flight.process.wait()


def warm() -> None:
    """scapy is imported before the clock of the first probe runs."""
    import scapy.layers.inet6
    import scapy.layers.vxlan  # noqa: F401
