"""The judgement: which frames belong to a probe, and what they prove."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from minidock.model.record import Record
from minidock.probes.packets import told
from minidock.probes.places import Device
from minidock.probes.proof import DISPROVEN, PROVEN, UNTESTED, Expectation, Outcome, Proof
from minidock.probes.words import Say, Unproven, say

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

    from minidock.probes.trial import Flight, Heard, Trial

_SHOWN_FRAMES = 6
_EXCERPT = 200  # letters of what a command printed
_SYN_ACK = {"S", "A"}
_ARP, _IPV6 = b"\x08\x06", b"\x86\xdd"  # as the type of a frame, behind a VLAN tag or not: to dissect it takes long


class Finding(Record):
    """One expectation, met or not: the reason, and the frames to show."""

    met: bool
    say: Say
    frames: tuple[Heard, ...] = ()
    untested: bool = False


# Which frames belong to a probe


def carriers(trial: Trial, flight: Flight, device: Device) -> list[Heard]:
    """The frames at a tap that carry the probe's nonce, ICMP errors about it left out."""
    return [heard for heard in _with_nonce(trial, flight, device) if not heard.fields.get("icmp_error")]


def _with_nonce(trial: Trial, flight: Flight, device: Device) -> list[Heard]:
    nonce, text = flight.proof.nonce, flight.proof.nonce.hex().encode()
    if device.label not in trial.ears:
        raise LookupError(f"nobody listens at {device.label}: lab.listen(…) before the run")
    frames = trial.ears[device.label].heard()
    return [heard for heard in frames if nonce in heard.frame.data or text in heard.frame.data]


def _belonging(trial: Trial, flight: Flight, wanted: Expectation) -> list[Heard]:
    if wanted.what == "error":
        return [heard for heard in _errors(trial, flight, wanted.at) if heard.fields.get("icmp_error")]
    if wanted.what == "question":
        return [heard for heard in trial.ears[wanted.at.label].heard() if _asks(flight, heard, str(told(wanted.who)))]
    if wanted.what == "syn":
        return [heard for heard in trial.ears[wanted.at.label].heard() if _opens(flight, heard, str(told(wanted.who)))]
    if wanted.what == "reply":
        return [heard for heard in trial.ears[wanted.at.label].heard() if _answers(flight, heard)]
    return [heard for heard in carriers(trial, flight, wanted.at) if not _answers(flight, heard)]


def _errors(trial: Trial, flight: Flight, device: Device) -> list[Heard]:
    """An error may quote no more than eight bytes after the IP header: ports and sequence number (RFC 792)."""
    marks = [flight.proof.nonce]
    if flight.sent is not None and flight.sent.packet.kind == "tcp":
        marks.append(flight.proof.nonce[:4])
    if flight.sent is not None and flight.sent.packet.kind == "icmp":
        marks.append(flight.proof.nonce[2:4] + b"\0\x01")
    return [heard for heard in trial.ears[device.label].heard() if any(mark in heard.frame.data for mark in marks)]


def _answers(flight: Flight, heard: Heard) -> bool:
    """Is the frame an answer to the probe?"""
    if flight.sent is None or heard.frame.nanoseconds < flight.began_ns:
        return False
    packet, data, nonce = flight.sent.packet, heard.frame.data, flight.proof.nonce
    if packet.kind == "tcp":
        sequence = (int.from_bytes(nonce[:4], "big") + 1) & 0xFFFFFFFF
        return struct.pack(">I", sequence) in data and set(heard.fields.get("flags") or "") >= _SYN_ACK
    if packet.kind == "udp":
        return (nonce in data and heard.fields.get("dport") == packet.sport and heard.fields.get("proto") == "udp"
                and heard.fields.get("sport") != packet.sport)
    if packet.kind == "icmp":
        return nonce in data and heard.fields.get("icmp") in ((0, 0), (129, 0))
    if packet.kind == "arp":
        return _ARP in data[12:18] and heard.fields.get("op") == 2 and heard.fields.get("src") == packet.dst
    return (packet.kind == "nd" and _IPV6 in data[12:18] and heard.fields.get("icmp") == (136, 0)
            and _target(data) == packet.dst)


def _asks(flight: Flight, heard: Heard, who: str) -> bool:
    """Is the frame a question for this address's MAC, since the probe was sent? It carries no nonce."""
    data = heard.frame.data
    if heard.frame.nanoseconds < flight.began_ns:
        return False
    if _ARP in data[12:18]:
        return heard.fields.get("op") == 1 and heard.fields.get("dst") == who
    return _IPV6 in data[12:18] and heard.fields.get("icmp") == (135, 0) and _target(data) == who


def _opens(flight: Flight, heard: Heard, who: str) -> bool:
    """Is the frame a SYN to this address, since the command began? It carries no nonce."""
    return (heard.frame.nanoseconds >= flight.began_ns and ip_address(who).packed in heard.frame.data
            and heard.fields.get("dst") == who and heard.fields.get("flags") in ("S", "SEC"))


def _target(data: bytes) -> str:
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS
    from scapy.layers.l2 import Ether

    packet = Ether(data)
    return next((str(packet[layer].tgt) for layer in (ICMPv6ND_NA, ICMPv6ND_NS) if layer in packet), "")


# What they prove


def satisfied(trial: Trial, flight: Flight) -> bool:
    """Is there nothing more to wait for?"""
    if flight.failure or flight.proof.question is not None:
        return True
    return all(not wanted.never and wanted.count is None and wanted.responders is None
               and _finding(trial, flight, wanted).met for wanted in flight.proof.wanted)


def judge(trial: Trial) -> list[Outcome]:
    """Every proof's outcome, positives first, for the negatives rest on them; in the order they were declared."""
    for proof in sorted(trial.lab.proofs, key=lambda each: each.negative):
        proof.outcome = _outcome(trial, trial.flights[proof.key])
    for proof in trial.lab.proofs:
        if proof.outcome and proof.outcome.verdict != PROVEN:
            proof.outcome = proof.outcome.but(mistake=_mistake(proof))
    return [proof.outcome for proof in trial.lab.proofs if proof.outcome]


def _mistake(proof: Proof) -> str:
    for mistake, when in proof.causes:
        try:
            if when():
                return mistake
        except Unproven:
            continue
    return ""


def _outcome(trial: Trial, flight: Flight) -> Outcome:
    proof = flight.proof
    if flight.unproven and flight.failure:
        return Outcome(proof.key, UNTESTED if proof.negative else DISPROVEN, (flight.failure,))
    findings = _findings(trial, flight)
    reasons = tuple(finding.say for finding in findings if not finding.met) or tuple(
        finding.say for finding in findings)
    frames = _shown([heard for finding in findings if not finding.met for heard in finding.frames])
    if any(not finding.met and not finding.untested for finding in findings):
        return Outcome(proof.key, DISPROVEN, reasons, frames)
    control = next((each for each in trial.lab.proofs if each.key == proof.control), None)
    if control and not control.passed:
        return Outcome(proof.key, UNTESTED, (say("control", control=control.key),), (), "", control.key)
    if any(finding.untested for finding in findings):
        return Outcome(proof.key, UNTESTED, reasons)
    return Outcome(proof.key, PROVEN, reasons)


def _findings(trial: Trial, flight: Flight) -> list[Finding]:
    proof = flight.proof
    if proof.question is not None:
        answer = flight.answer
        key = "state-ok" if answer is True else "state" if answer else "state-no"
        return [Finding(answer is True, say(key, got=answer))]
    if flight.failure and all(wanted.never for wanted in proof.wanted) and proof.negative:
        return [Finding(True, say("refused", error=dict(flight.failure.facts).get("error", "")))]
    if flight.failure:
        return [Finding(False, flight.failure)]
    return [*(_finding(trial, flight, wanted) for wanted in proof.wanted), *_of_command(flight)]


def _of_command(flight: Flight) -> list[Finding]:
    proof = flight.proof
    found = []
    if proof.prints_text is not None:
        text = str(told(proof.prints_text)).replace("{nonce}", proof.nonce.hex())
        found.append(Finding(text in flight.output, say("printed", got=_excerpt(flight.output, text))))
    if proof.exit_ok is not None:
        found.append(Finding((flight.exit_code == 0) == proof.exit_ok, say("exit", got=flight.exit_code)))
    return found


def _excerpt(output: str, text: str) -> str:
    """The line that has the text in it, else the first one."""
    lines = output.strip().splitlines() or ['""']
    line = next((line for line in lines if text in line), lines[0])
    return line if len(line) <= _EXCERPT else line[:_EXCERPT - 1] + "…"


def _finding(trial: Trial, flight: Flight, wanted: Expectation) -> Finding:
    ear = trial.ears[wanted.at.label]
    if ear.missing:
        return Finding(False, ear.missing, untested=wanted.never)
    try:
        frames = _belonging(trial, flight, wanted)
        if wanted.never:
            return _never(frames, wanted)
        if wanted.count is not None:
            return _counted(frames, flight, wanted)
        if not frames:
            return Finding(False, _missing(wanted), _near(trial, flight, wanted))
        return _compared(trial, flight, frames, wanted)
    except Unproven as unproven:
        return Finding(False, unproven.say, untested=wanted.never)


def _missing(wanted: Expectation) -> Say:
    key = {"probe": "unseen", "reply": "no-reply", "error": "no-error", "question": "no-question",
           "syn": "no-syn"}[wanted.what]
    icmp = wanted.headers.get("icmp")
    return say(key, at=wanted.at.label, ms=round(wanted.within * 1000), icmp="/".join(map(str, icmp)) if icmp else "",
               who=told(wanted.who))


def _near(trial: Trial, flight: Flight, wanted: Expectation) -> tuple[Heard, ...]:
    """What may explain the silence: the probe at other taps, questions of ARP at this one."""
    asked = [heard for heard in trial.ears[wanted.at.label].heard()
             if heard.frame.nanoseconds >= flight.began_ns and heard.frame.data[12:14] == b"\x08\x06"]
    nonce = flight.proof.nonce
    return (*(heard for ear in trial.ears.values() for heard in ear.heard() if nonce in heard.frame.data), *asked[:2])


def _never(frames: list[Heard], wanted: Expectation) -> Finding:
    bad = [heard for heard in frames if not _differences(heard, wanted)]
    key = {"probe": "seen", "question": "question-seen"}.get(wanted.what, "reply-seen")
    if bad:
        return Finding(False, say(key, at=wanted.at.label, frame=bad[0].number, who=told(wanted.who)), tuple(bad))
    return Finding(True, say("never", at=wanted.at.label))


def _counted(frames: list[Heard], flight: Flight, wanted: Expectation) -> Finding:
    good = [heard for heard in frames if not _differences(heard, wanted)]
    copies = {heard.frame.data[place:place + 2] for heard in good
              for place in [heard.frame.data.find(flight.proof.nonce) + 8]}
    facts = {"at": wanted.at.label, "got": len(copies), "sent": flight.proof.times, "wanted": wanted.count}
    right = len(copies) == wanted.count
    return Finding(right, say("counted-right" if right else "counted", **facts), tuple(good))


def _compared(trial: Trial, flight: Flight, frames: list[Heard], wanted: Expectation) -> Finding:
    if wanted.responders is not None:
        macs = sorted({str(heard.fields.get("arp_mac") or heard.fields["mac_src"]) for heard in frames})
        if len(macs) != wanted.responders:
            return Finding(False, say("responders", got=len(macs), macs=", ".join(macs), wanted=wanted.responders),
                           tuple(frames))
    good = next((heard for heard in frames if not _differences(heard, wanted)), None)
    if good is None:
        field, got, right = _differences(frames[-1], wanted)[0]
        if field == "that":
            key = "syn-not-that" if wanted.what == "syn" else "not-that"
            return Finding(False, say(key, at=wanted.at.label), tuple(frames))
        key = f"{wanted.what}-differs" if wanted.what in ("reply", "question", "syn") else "differs"
        return Finding(False, say(key, at=wanted.at.label, field=field, got=got, wanted=right,
                                  who=told(wanted.who)), tuple(frames))
    if wanted.same_as and not _twin(trial, flight, good, wanted.same_as):
        return Finding(False, say("changed", at=wanted.at.label, other=wanted.same_as.label), (good,))
    micro = max(0, good.frame.nanoseconds - (flight.sent[0] if flight.sent else flight.began_ns)) // 1000
    if wanted.took and not wanted.took[0] <= micro / 1e6 <= wanted.took[1]:
        least, most = (round(seconds * 1000) for seconds in wanted.took)
        return Finding(False, say("took", at=wanted.at.label, ms=micro // 1000, least=least, most=most), (good,))
    return Finding(True, say("arrived", at=wanted.at.label, us=micro), (good,))


def _twin(trial: Trial, flight: Flight, heard: Heard, other: Device) -> bool:
    return any(heard.frame.data == twin.frame.data for twin in carriers(trial, flight, other))


def _differences(heard: Heard, wanted: Expectation) -> list[tuple[str, Any, Any]]:
    """(field, what it is, what it should be) of all that differ."""
    said = heard.fields
    pairs = [(field, said.get(field), told(value)) for field, value in wanted.headers.items()]
    found = [(field, got, right) for field, got, right in pairs if got != right and str(got) != str(right)]
    if not found and wanted.that is not None and not wanted.that(said):
        found.append(("that", "", ""))
    return found


def _shown(frames: list[Heard]) -> tuple[str, ...]:
    from minidock.probes import headers

    unique = sorted({id(heard): heard for heard in frames}.values(), key=lambda heard: heard.number)
    return tuple(f"frame {heard.number}  {heard.device} {'out' if heard.frame.outgoing else 'in '}  "
                 f"{headers.told(heard.frame.data)}" for heard in unique[:_SHOWN_FRAMES])
