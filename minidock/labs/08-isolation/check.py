"""Who still talks, and who does not any more though they could: every silence has a voice beside it."""

from minidock.probes.packets import BROADCAST, frame, icmp, tcp

OUTSIDE = "203.0.113.10"


def check(lab):
    host, values = lab.host, lab.vars
    guest, staff, till, archive = (lab.container(name) for name in ("guest", "staff", "till", "archive"))
    office, shop, records = (host.device(f"br-{name}") for name in ("office", "shop", "records"))

    alive = [
        lab.positive("guest").send(guest, icmp(f"10.{values.S}.1.1")).expect(at=office).expect_reply(at=guest.eth0),
        lab.positive("staff").send(host, icmp(values.STAFF)).expect(at=staff.eth0).expect_reply(at=office),
        lab.positive("till").send(host, icmp(values.TILL)).expect(at=till.eth0).expect_reply(at=shop),
        lab.positive("out").send(staff, icmp(OUTSIDE)).expect(at=host.up0, ttl=63).expect_reply(at=staff.eth0),
        lab.positive("archive").send(archive.eth0, frame(BROADCAST)).expect(at=records),
    ]
    asked = (lab.negative("office-shop", control="till").send(guest, icmp(values.TILL))
             .expect(at=guest.eth0).never(at=shop))
    called = (lab.negative("office-shop-tcp", control="till").send(guest, tcp(values.TILL, values.PORT))
              .expect(at=guest.eth0).never(at=till.eth0))
    back = (lab.negative("shop-office", control="guest").send(till, icmp(values.GUEST))
            .expect(at=till.eth0).never(at=office))
    past = lab.negative("guest-staff", control="staff").send(guest, icmp(values.STAFF)).never(at=staff.eth0)
    beside = (lab.negative("guest-staff-tcp", control="staff").send(guest, tcp(values.STAFF, values.PORT))
              .never(at=staff.eth0))
    leak = lab.negative("no-way-out", control="out").send(archive, icmp(OUTSIDE)).never(at=host.up0)
    aside = lab.negative("no-way-aside", control="till").send(archive, icmp(values.TILL)).never(at=till.eth0)

    for proof in alive:
        proof.because("not-running", lambda: not all(place.exists for place in (guest, staff, till, archive)))
        proof.because("unplugged")
    for proof in (asked, called, back):
        proof.because("tcp-only", lambda: called.passed)
        proof.because("one-way", lambda: asked.passed)
        proof.because("too-late", lambda: "-o br-shop -j DROP" in host.ask("iptables -S FORWARD"))
        proof.because("router")
    same_bridge_or_leak(host, values, (past, beside), (leak, aside))


def same_bridge_or_leak(host, values, neighbours, leaks):
    """What was believed where guest still reaches staff, and where records has a way out."""
    for proof in neighbours:
        proof.because("switched-past", lambda: switched_past(host, values))
        proof.because("same-bridge")
    for proof in leaks:
        proof.because("open-door")


def switched_past(host, values):
    """Is there a rule that forbids it, on a host whose bridge asks no rules?"""
    rules = host.ask("iptables -S").splitlines()
    forbids = any(values.GUEST in rule and "DROP" in rule and "MINIDOCK " not in rule for rule in rules)
    return forbids and host.sysctl("net.bridge.bridge-nf-call-iptables") != "1"
