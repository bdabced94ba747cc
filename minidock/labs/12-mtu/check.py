"""How large a packet may be is told by packets: those that pass, and those that are answered with 1400."""

from random import randint

from minidock.probes.packets import icmp, udp

NARROW = 1400
PING, UDP, MSS = NARROW - 28, NARROW - 28, NARROW - 40  # what fits: around it are 20 of IPv4, and 8, 8 or 20


def check(lab):
    host, site = lab.host, lab.place("site")
    plain, small = lab.container("plain"), lab.container("small")
    anywhere = [f"10.{lab.vars.S}.{randint(131, 254)}.{randint(1, 254)}" for _ in range(7)]  # path MTUs are remembered
    theirs = lab.state("theirs", lambda: site.eth0.mtu == 1500 and filtered(lab.place("edge")))
    theirs.because("server-mtu", lambda: site.eth0.mtu != 1500)
    theirs.because("provider")
    fits = (lab.positive("fits").send(plain, icmp(anywhere[0], size=PING, df=True))
            .expect(at=site.eth0, length=NARROW, df=True).expect_reply(at=plain.eth0, length=NARROW))
    told = (lab.positive("told").send(plain, udp(anywhere[1], 9, size=UDP + 1, df=True))
            .expect_error(at=host.wan0, icmp=(3, 4), mtu=NARROW))
    large = (lab.positive("too-big").send(plain, udp(anywhere[2], 9, size=UDP + 1, df=True))
             .expect(at=plain.eth0, length=NARROW + 1, df=True)
             .expect_error(at=plain.eth0, icmp=(3, 4), mtu=NARROW))
    (lab.negative("whole", control="fits").send(plain, udp(anywhere[3], 9, size=UDP + 1, df=True)).never(at=site.eth0))
    upload = f"head -c 60000 /dev/zero | curl -s -m 1 -H Expect: --data-binary @- http://{anywhere[4]}:81/{{nonce}}"
    lab.positive("upload").run(plain, upload).expect(at=site.eth0, df=True, fragment=False).prints("hello from site")
    if lab.stage >= 2:
        page(lab, "page-small", small, anywhere[5]).because("not-running", lambda: not small.exists)
        narrow = lab.state("narrow", lambda: small.eth0.mtu <= NARROW or f"{small.eth0.mtu}")
        narrow.because("same-mtu")
    if lab.stage == 3:
        clamped = page(lab, "page-plain", plain, anywhere[6])
        lab.state("untouched", lambda: plain.eth0.mtu == 1500).because("plain-changed")
        clamped.because("clamp-to-pmtu", lambda: "rt mtu" in rules(host) or "clamp-mss" in mangled(host))
        clamped.because("no-clamp", lambda: plain.exists)
    lab.then()
    lab.state("learned", lambda: f"mtu {NARROW}" in plain.ask(f"ip route get {anywhere[2]}"))

    large.because("df-cleared", lambda: large.saw(site.eth0))
    large.because("still-filtered", lambda: told.passed and fits.passed)


def page(lab, key, place, address):
    """A real browser of sorts gets the page whole, with packets that were never cut: its SYN promises what fits."""
    line, site = f"curl -s -m 1 http://{address}/{{nonce}} | wc -c", lab.place("site")
    return (lab.positive(key).run(place, line).expect(at=site.eth0, df=True).prints("100000")
            .expect_syn(at=site.eth0, to=address, that=lambda syn: 0 < (syn["mss"] or 0) <= MSS))


def rules(place):
    """What nft says there."""
    return place.ask("nft list ruleset")


def mangled(place):
    """What iptables says of its own rules for clamping."""
    return place.ask("iptables -t mangle -S")


def filtered(place):
    """Does the provider still filter what it sends? Nobody asked us."""
    return "destination-unreachable drop" in rules(place)
