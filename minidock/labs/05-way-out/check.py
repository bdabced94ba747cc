"""The way out, one switch after the other: how far a ping gets is seen on every wire it could have passed."""

import re

from minidock.probes.packets import icmp, noting


def check(lab):
    (with_a_route, with_forwarding, with_masquerade)[lab.stage - 1](lab)


def with_a_route(lab):
    """It leaves app, and dies in the host."""
    app, host, errors = lab.place("app"), lab.host, []
    leaves = (lab.positive("leaves").send(app, icmp(noting(errors, lambda: address_errors(host), lab.vars.FAR)))
              .expect(at=app.eth0, src=lab.vars.A, ttl=64).expect(at=host.lab0, src=lab.vars.A, ttl=64))
    held = lab.negative("held", control="leaves").send(app, icmp(lab.vars.FAR)).never(at=host.up0)
    lab.then()
    lab.state("counted", lambda: address_errors(host) > errors[0])

    no_way(lab, leaves, app)
    held.because("too-early", lambda: host.sysctl("net.ipv4.ip_forward") == "1")


def with_forwarding(lab):
    """It reaches the internet, and nobody there knows the way back."""
    app, ext, host = lab.place("app"), lab.place("internet"), lab.host
    forwarded = (lab.positive("forwarded").send(app, icmp(lab.vars.FAR))
                 .expect(at=host.up0, src=lab.vars.A, ttl=63).expect(at=ext.gateway0, src=lab.vars.A, ttl=63))
    unanswered = (lab.negative("unanswered", control="forwarded").send(app, icmp(lab.vars.FAR))
                  .never_reply(at=app.eth0).never_reply(at=host.up0))

    no_way(lab, forwarded, app)
    forwarded.because("not-forwarded", lambda: host.sysctl("net.ipv4.ip_forward") != "1")
    forwarded.because("masked-early", lambda: forwarded.saw(ext.gateway0, src="198.51.100.2"))
    unanswered.because("route-outside", lambda: ext.ask(f"ip -j route get {lab.vars.A}"))


def with_masquerade(lab):
    """It reaches the internet as the host's, and the answer comes back to app."""
    app, peer, ext, host, a = lab.place("app"), lab.place("peer"), lab.place("internet"), lab.host, lab.vars.A
    out = (lab.positive("out").send(app, icmp(lab.vars.FAR))
           .expect(at=host.lab0, src=a, ttl=64).expect(at=ext.gateway0, src="198.51.100.2", ttl=63)
           .expect_reply(at=host.up0, dst="198.51.100.2").expect_reply(at=app.eth0, src=lab.vars.FAR, dst=a, ttl=63))
    neighbours = (lab.positive("neighbours").send(app, icmp(lab.vars.B)).expect(at=peer.eth0, src=a, ttl=64)
                  .expect_reply(at=app.eth0, src=lab.vars.B))
    lab.then()
    before = []
    (lab.positive("five").send(app, icmp(noting(before, lambda: translations(host), lab.vars.FAR)), times=5)
     .expect(at=ext.gateway0, within=0.25, count=5, src="198.51.100.2"))
    lab.then()
    lab.state("first-only", lambda: translations(host) - before[0] == 1 or f"{translations(host) - before[0]} of 5")

    no_way(lab, out, app)
    out.because("not-forwarded", lambda: host.sysctl("net.ipv4.ip_forward") != "1")
    out.because("route-outside", lambda: ext.ask(f"ip -j route get {a}"))
    out.because("old-address", lambda: "--to-source" in host.ask("iptables -t nat -S"))
    out.because("not-masked", lambda: out.saw(ext.gateway0, src=a))
    neighbours.because("everyone-masked", lambda: neighbours.saw(peer.eth0, src=lab.vars.GATEWAY))


def no_way(lab, proof, app):
    """app has no default route, or none that leads to the host."""
    proof.because("route-in-host", lambda: not gateways(app) and len(lab.host.ask("ip -j -4 route")) > 3)
    proof.because("no-route", lambda: not gateways(app))
    proof.because("wrong-gateway", lambda: lab.vars.GATEWAY not in gateways(app))


def gateways(app):
    """Where app's default routes lead."""
    return [route.get("gateway") for route in app.ask("ip -j -4 route show default")]


def address_errors(host):
    """Packets that the host got and knew no use for (man 8 nstat: IpInAddrErrors)."""
    names, numbers = [line.split() for line in host.ask("cat /proc/net/snmp").splitlines() if line.startswith("Ip:")]
    return int(dict(zip(names, numbers, strict=True))["InAddrErrors"])


def translations(host):
    """How many packets the masquerading rules have seen."""
    counted = re.findall(r"^\[(\d+):\d+\] .*-j (?:MASQUERADE|SNAT)", host.ask("iptables-save -c -t nat"), re.MULTILINE)
    return sum(map(int, counted))
