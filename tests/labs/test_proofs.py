"""The proof language itself: what it refuses, what it proves, what it will not call proven.

    host lo        red eth0 10.0.9.1 ════ eth0 10.0.9.2 blue
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterator

import pytest

from minidock.errors import BadRequest
from minidock.labs.folder import HERE
from minidock.probes.packets import arp, frame, icmp, nd, tcp, udp
from minidock.probes.places import Place
from minidock.probes.proof import DISPROVEN, PROVEN, UNTESTED, Lab, Outcome
from minidock.probes.trial import Trial, Verdict
from tests.ground import Host

CABLE = """set -e
for name in red blue; do ip netns add $name; ip -n $name link set lo up; done
ip link add eth0 netns red type veth peer name eth0 netns blue
ip -n red address add 10.0.9.1/24 dev eth0; ip -n blue address add 10.0.9.2/24 dev eth0
ip -n red address add fd00:9::1/64 dev eth0 nodad; ip -n blue address add fd00:9::2/64 dev eth0 nodad
ip -n red link set eth0 up; ip -n blue link set eth0 up"""


@pytest.fixture
def cabled(host: Host) -> Host:
    """Red and blue on one wire."""
    host.shell(CABLE)
    return host


@pytest.fixture
def served(cabled: Host) -> Iterator[Host]:
    """And blue has an echo and a web server, the labs' own."""
    for line in ("udp-echo 10.0.9.2 5000", "hello 10.0.9.2 80 blue"):
        cabled.shell(f"ip netns exec blue {sys.executable} {HERE}/tools/{line}")
    yield cabled
    cabled.shell("kill $(ip netns pids blue)")


def bench() -> tuple[Lab, Place, Place]:
    """A check to be, and its two places."""
    lab = Lab({"PORT": 5000})
    return lab, lab.place("red"), lab.place("blue")


def by_key(verdict: Verdict) -> dict[str, Outcome]:
    """Its outcomes by the keys of their proofs."""
    return {outcome.key: outcome for outcome in verdict.outcomes}


def run(lab: Lab) -> dict[str, Outcome]:
    """Run it."""
    return by_key(Trial(lab).run())


# What is refused before a packet is sent


def test_a_negative_without_a_control_is_refused() -> None:
    lab, _, _ = bench()
    with pytest.raises(BadRequest, match="no control"):
        lab.negative("quiet")


def test_a_control_must_be_there_positive_and_made_of_packets() -> None:
    for control in ("nobody", "fact", "other"):
        lab, red, blue = bench()
        lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
        lab.state("fact", lambda: True)
        lab.negative("other", control="seen").send(red, icmp("10.0.9.2")).never(at=lab.host.lo)
        lab.negative("quiet", control=control).send(red, icmp("10.0.9.2")).never(at=lab.host.lo)
        with pytest.raises(BadRequest, match="is no positive proof"):
            Trial(lab)


def test_what_cannot_prove_anything_is_refused() -> None:
    lab, red, _ = bench()
    lab.positive("empty").send(red, icmp("10.0.9.2"))
    with pytest.raises(BadRequest, match="expects nothing"):
        Trial(lab)
    lab, red, blue = bench()
    lab.positive("never").send(red, icmp("10.0.9.2")).never(at=blue.eth0)
    with pytest.raises(BadRequest, match="not a negative proof"):
        Trial(lab)
    lab, _, _ = bench()
    lab.state("fact", lambda: True)
    with pytest.raises(BadRequest, match="made of packets"):
        Trial(lab)
    with pytest.raises(BadRequest, match="two proofs"):
        lab.state("fact", lambda: True)
    with pytest.raises(BadRequest, match="no variable NOWHERE"):
        _ = lab.vars.NOWHERE


# What is proven


def test_every_kind_of_probe_is_seen_and_answered(served: Host) -> None:
    lab, red, blue = bench()

    def mac() -> str:
        return blue.eth0.mac

    lab.positive("udp").send(red, udp("10.0.9.2", lab.vars.PORT)).expect(at=blue.eth0, src="10.0.9.1", same_as=red.eth0)
    lab.proofs[-1].expect_reply(at=red.eth0, sport=5000)
    lab.positive("tcp").send(red, tcp("10.0.9.2", 80)).expect(at=blue.eth0, flags="S", dport=80)
    lab.proofs[-1].expect_reply(at=red.eth0, flags="SA")
    lab.positive("icmp").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, ttl=64).expect_reply(at=red.eth0)
    lab.positive("icmp6").send(red, icmp("fd00:9::2")).expect(at=blue.eth0, ttl=64).expect_reply(at=red.eth0)
    lab.positive("arp").send(red.eth0, arp("10.0.9.2")).expect_reply(at=red.eth0, responders=1, arp_mac=mac)
    lab.positive("nd").send(red.eth0, nd("fd00:9::2", src="fd00:9::1")).expect_reply(at=red.eth0, mac_src=mac)
    lab.positive("frame").send(red.eth0, frame(mac), times=10).expect(at=blue.eth0, count=10)
    lab.positive("refused").send(red, udp("10.0.9.2", 5001)).expect_error(at=red.eth0, icmp=(3, 3))
    lab.positive("forged").send(red, udp("10.0.9.2", 5002, src="192.0.2.7")).expect(at=blue.eth0, src="192.0.2.7")
    lab.positive("command").run(red, "ping -c1 -W1 -p {nonce} 10.0.9.2").succeeds().expect(at=blue.eth0)
    lab.negative("apart", control="icmp").send(red, icmp("10.0.9.2")).never(at=lab.host.lo)
    found = run(lab)
    assert {key: outcome.reasons for key, outcome in found.items() if outcome.verdict != PROVEN} == {}


def test_the_kernels_own_question_is_seen_and_its_absence_needs_a_control(cabled: Host) -> None:
    """For whom the packet is to go to; asked once, in ARP and in ND."""
    lab, red, blue = bench()
    for key, address in (("arp", "10.0.9.2"), ("nd", "fd00:9::2")):
        (lab.positive(key).send(red, icmp(address)).expect_question(at=blue.eth0, who=address, mac_src=red.eth0.mac)
         .expect_reply(at=red.eth0))
    lab.positive("wrong").send(red, icmp("10.0.9.9")).expect_question(at=blue.eth0, who="10.0.9.9", src="10.0.9.7")
    lab.positive("none").send(red, icmp("10.0.9.2")).expect_question(at=blue.eth0, who="10.0.9.8")
    lab.negative("quiet", control="arp").send(red, icmp("10.0.9.2")).never_question(at=blue.eth0, who="10.0.9.8")
    lab.negative("asked", control="arp").send(red, icmp("10.0.9.6")).never_question(at=blue.eth0, who="10.0.9.6")
    found = run(lab)
    assert [found[key].verdict for key in ("arp", "nd", "quiet")] == [PROVEN] * 3
    assert found["wrong"].reasons[0].told("en") == (
        "at blue:eth0 the question for 10.0.9.9 had src 10.0.9.1, not 10.0.9.7")
    assert found["none"].reasons[0].key == "no-question"
    assert found["asked"].verdict == DISPROVEN and found["asked"].reasons[0].key == "question-seen"


def test_the_commands_own_syn_tells_its_mss_and_another_is_not_taken_for_it(served: Host) -> None:
    served.shell("ip -n blue address add 10.0.9.3/24 dev eth0; ip -n red link set eth0 mtu 1400")
    lab, red, blue = bench()
    line = "curl -s -m 1 http://10.0.9.2/{nonce}"
    lab.positive("narrow").run(red, line).expect_syn(at=blue.eth0, to="10.0.9.2", that=lambda syn: syn["mss"] <= 1360)
    lab.positive("exact").run(red, line).expect_syn(at=blue.eth0, to="10.0.9.2", mss=1360, ttl=64)
    lab.positive("wide").run(red, line).expect_syn(at=blue.eth0, to="10.0.9.2", mss=1460)
    lab.positive("wider").run(red, line).expect_syn(at=blue.eth0, to="10.0.9.2", that=lambda syn: syn["mss"] > 1360)
    lab.positive("elsewhere").run(red, line).expect_syn(at=blue.eth0, to="10.0.9.3")
    lab.then()
    lab.positive("before").run(red, "true").expect_syn(at=blue.eth0, to="10.0.9.2")
    seen = run(lab)
    assert [seen[key].verdict for key in ("narrow", "exact")] == [PROVEN] * 2, seen
    assert [seen[key].reasons[0].key for key in ("wide", "wider", "elsewhere", "before")] == [
        "syn-differs", "syn-not-that", "no-syn", "no-syn"]
    assert "MSS 1360" in seen["wide"].frames[0]


def test_what_could_not_be_sent_was_not_seen(cabled: Host) -> None:
    """A refused sending proves a silence, but not that anything was seen beside it."""
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    lab.negative("refused", control="seen").send(red, icmp("192.0.2.1")).never(at=blue.eth0)
    lab.negative("unsent", control="seen").send(red, icmp("192.0.2.1")).expect(at=red.eth0).never(at=blue.eth0)
    found = run(lab)
    assert [found[key].verdict for key in ("seen", "refused", "unsent")] == [PROVEN, PROVEN, DISPROVEN]


def test_a_negative_that_is_seen_fails_and_shows_the_frame(cabled: Host) -> None:
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    lab.negative("quiet", control="seen").send(red, icmp("10.0.9.2")).never(at=blue.eth0)
    quiet = run(lab)["quiet"]
    assert quiet.verdict == DISPROVEN and quiet.reasons[0].key == "seen"
    assert any("blue:eth0 in" in line and "10.0.9.1 > 10.0.9.2 ICMP" in line for line in quiet.frames)


def test_silence_proves_nothing_when_the_control_failed(cabled: Host) -> None:
    """The cable is pulled: the negative saw nothing, and is not proven; with the cable it is."""
    def check() -> dict[str, Outcome]:
        lab, red, blue = bench()
        lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
        lab.negative("quiet", control="seen").send(red, icmp("10.0.9.2")).never(at=lab.host.lo)
        return run(lab)

    assert check()["quiet"].verdict == PROVEN
    cabled.shell("ip -n red link set eth0 down")
    assert check()["quiet"].verdict == UNTESTED


def test_where_nobody_can_listen_nothing_is_proven(cabled: Host) -> None:
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    lab.negative("no device", control="seen").send(red, icmp("10.0.9.2")).never(at=blue.eth9)
    lab.negative("no place", control="seen").send(red, icmp("10.0.9.2")).never(at=lab.place("green").eth0)
    found = run(lab)
    assert [found[key].verdict for key in ("seen", "no device", "no place")] == [PROVEN, UNTESTED, UNTESTED]


def test_another_probes_packet_is_not_this_ones(cabled: Host) -> None:
    """Somebody else pings all the time; only a frame with the nonce counts."""
    cabled.shell("ip netns exec red ping -q -i 0.01 -c 200 10.0.9.2 >/dev/null 2>&1 & echo")
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    lab.negative("lost", control="seen").send(red, icmp("10.0.9.77")).never(at=blue.eth0)
    found = run(lab)
    assert found["seen"].verdict == found["lost"].verdict == PROVEN


def test_a_wrong_field_and_a_wrong_count_are_told(cabled: Host) -> None:
    lab, red, blue = bench()
    lab.positive("ttl").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, ttl=63)
    lab.positive("count").send(red.eth0, frame("02:00:00:00:00:77"), times=3).expect(at=blue.eth0, count=2)
    lab.positive("mac").send(red.eth0, arp("10.0.9.2")).expect_reply(at=red.eth0, responders=2)
    lab.positive("at once").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, took=(0, 0.2))
    lab.positive("late").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, took=(0.3, 0.4))
    found = run(lab)
    assert found["at once"].verdict == PROVEN
    assert "which is not between 300 and 400 ms" in found["late"].reasons[0].told("en")
    assert found["ttl"].reasons[0].told("en") == "at blue:eth0 the probe had ttl 64, not 63"
    assert found["count"].reasons[0].told("en") == "blue:eth0 saw 3 of 3 probes, not 2"
    assert found["mac"].reasons[0].key == "responders"


def test_the_first_mistake_that_fits_is_told(cabled: Host) -> None:
    lab, red, blue = bench()
    proof = lab.positive("ttl").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, ttl=63)
    proof.because("absent", lambda: lab.place("green").eth0.mac == "")
    proof.because("other", lambda: proof.saw(blue.eth0, ttl=1))
    proof.because("switched", lambda: proof.saw(blue.eth0, ttl=64)).because("anything")
    verdict = Trial(lab).run()
    assert verdict.mistake == "switched" and not verdict.passed


def test_a_state_that_is_not_so_says_what_is(cabled: Host) -> None:
    """A bare False says nothing."""
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    lab.state("switch", lambda: False)
    lab.state("address", lambda: "10.0.9.3")
    _, *states = Trial(lab).run().outcomes
    assert [reason.told("en") for outcome in states for reason in outcome.reasons] == \
        ["the kernel says otherwise", "the kernel says otherwise: 10.0.9.3"]


def test_rounds_follow_each_other_and_all_of_one_fly_at_once(cabled: Host) -> None:
    """Twenty negatives of 0.3 s in one round take one wait; a second round begins after it."""
    lab, red, blue = bench()
    lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0)
    for number in range(20):
        lab.negative(f"quiet {number}", control="seen").send(red, icmp("10.0.9.2")).never(at=lab.host.lo)
    lab.then()
    began = time.monotonic()
    lab.state("later", lambda: time.monotonic() - began > 0.3)
    verdict = Trial(lab).run()
    assert verdict.passed and verdict.seconds < 2.5


def test_the_evidence_is_a_pcapng_with_a_name_for_each_tap(cabled: Host) -> None:
    from scapy.utils import PcapNgReader

    lab, red, blue = bench()
    proof = lab.positive("seen").send(red, icmp("10.0.9.2")).expect(at=blue.eth0, same_as=red.eth0)
    evidence = Trial(lab).run().pcapng
    path = cabled.directory / "evidence.pcapng"
    path.write_bytes(evidence)
    with PcapNgReader(str(path)) as reader:
        packets = list(reader)
    assert sum(proof.nonce in bytes(packet) for packet in packets) >= 2
    assert {packet.sniffed_on for packet in packets} == {"red:eth0", "blue:eth0"}
    assert abs(float(packets[0].time) - time.time()) < 60
    assert struct.unpack_from("<I", evidence)[0] == 0x0A0D0D0A
