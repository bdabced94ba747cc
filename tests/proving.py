"""Proofs of the engine in the language of the labs (minidock/labs/TEACHERS.md): who sees what, by packets.

    with proving() as lab:
        c1, out = lab.container("c1"), lab.place("outside")
        lab.positive("masqueraded").send(c1, icmp(FAR)).expect(at=out.eth0, src=HOST, ttl=63)

At the end of the block all of it is sent, and each proof must be proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minidock.probes.proof import PROVEN, Lab, Outcome
from minidock.probes.trial import Trial

_PATIENCE_SECONDS = 3.0  # a test machine may be slow; what is seen at once is not waited for


@contextmanager
def proving() -> Iterator[Lab]:
    """A bench for proofs; those that failed are told with their reasons and frames."""
    lab = Lab({})
    yield lab
    for proof in lab.proofs:
        if not proof.negative:
            proof.wanted = [each if each.count is not None or each.responders is not None
                            else each.but(within=max(each.within, _PATIENCE_SECONDS)) for each in proof.wanted]
    failed = [outcome for outcome in Trial(lab).run().outcomes if outcome.verdict != PROVEN]
    assert not failed, "\n".join(_told(outcome) for outcome in failed)


def _told(outcome: Outcome) -> str:
    reasons = [reason.told("en") for reason in outcome.reasons]
    return "\n    ".join([f"{outcome.key}: {outcome.verdict}", *reasons, *outcome.frames])
