"""Frames cross the underlay inside UDP, to the right host only, and whole; the underlay knows nothing of containers."""

import functools

from minidock.probes.packets import arp, frame, icmp, udp

NOBODY = "02:00:5e:00:53:99"
VXLAN, HEADERS = 4789, 50  # IP 20, UDP 8, VXLAN 8, Ethernet 14


def check(lab):
    net = Overlay(lab)
    pair(lab, net)
    foreigner(lab, net)
    if lab.stage > 1:
        third_host(lab, net)
    lab.then()  # whoever learns addresses has learned them now
    sizes(lab, net)
    nowhere_else(lab, net)


class Overlay:
    """The places, and what the probes found out."""

    def __init__(self, lab):
        self.v = lab.vars
        self.router, self.c1, self.c2, self.c3, self.other = (
            lab.place(name) for name in ("router", "c1", "c2", "c3", "other"))
        self.r1, self.r2, self.r3 = self.router.r1, self.router.r2, self.router.r3
        self.ours = {"dport": VXLAN, "vni": lab.vars.VNI}
        self.mac = functools.cache(lambda place: place.eth0.mac)
        lab.listen(self.r1, self.r2, self.r3)

    def routed(self):
        """Has the router been told where containers are?"""
        return bool(self.router.ask(f"ip -j route get {self.v.C2} 2>/dev/null"))


def pair(lab, net):
    """c1 and c2 talk, through UDP that everybody on the way can read, and that nobody on the way understands."""
    v, c1, c2, r1 = net.v, net.c1, net.c2, net.r1
    back = (lab.positive("back").send(c2.eth0, frame(lambda: net.mac(c1)))
            .expect(at=r1, src=v.H2, dst=v.H1, **net.ours).expect(at=c1.eth0, mac_src=lambda: net.mac(c2)))
    asks = (lab.positive("asks").send(c2.eth0, arp(v.C1, src=v.C2))
            .expect_reply(at=c2.eth0, responders=1, arp_mac=lambda: net.mac(c1)))
    crosses = (lab.positive("crosses").send(c1, icmp(v.C2, size=100))
               .expect(at=r1, src=v.H1, dst=v.H2, length=128 + HEADERS, **net.ours)
               .expect(at=c2.eth0, ttl=64, length=128, same_as=c1.eth0).expect_reply(at=c1.eth0, src=v.C2, ttl=64))
    (lab.positive("readable").run(c1, f"curl -s --max-time 0.6 http://{v.C2}/{{nonce}}", within=0.8)
     .prints(f"hello from c2: you are {v.C1}").expect(at=r1, within=0.6, src=v.H1, **net.ours))
    (lab.negative("blind", control="crosses").send(c1, icmp(v.C2))
     .never(at=r1, dst=v.C2).never(at=net.r2, dst=v.C2))
    lab.state("no-route", lambda: not net.routed())

    for proof in (back, asks, crosses):
        proof.because("routed", net.routed)
    back.because("missing-entry", lambda: not back.saw(r1))
    asks.because("one-vni", lambda: lab.place("h3").vother.master == lab.place("h3").vc3.master)
    asks.because("flood-list", lambda: back.passed)


def foreigner(lab, net):
    """The other overlay is there all the time: its frames arrive at our hosts, and go no further."""
    v, other = net.v, net.other
    (lab.positive("foreign").send(other.eth0, frame(NOBODY))
     .expect(at=net.r1, src=v.H3, dst=v.H1, dport=VXLAN, vni=v.OTHER))
    lab.negative("dropped", control="foreign").send(other.eth0, frame(NOBODY)).never(at=net.c1.eth0)
    (lab.positive("told").send(other, icmp(f"10.{v.S}.0.99", df=True, size=1451 - 28))
     .expect_error(at=other.eth0, icmp=(3, 4), mtu=1450))


def third_host(lab, net):
    """c3 has joined this overlay, and not the other one."""
    v, c1, c2, c3 = net.v, net.c1, net.c2, net.c3
    third = (lab.positive("third").send(c1, icmp(v.C3)).expect(at=net.r3, src=v.H1, dst=v.H3, **net.ours)
             .expect(at=c3.eth0, ttl=64, same_as=c1.eth0).expect_reply(at=c1.eth0, src=v.C3))
    second = (lab.positive("third-second").send(c3, icmp(v.C2)).expect(at=c2.eth0, ttl=64, same_as=c3.eth0)
              .expect_reply(at=c3.eth0, src=v.C2))
    flood = lab.positive("flood").send(c1.eth0, frame(NOBODY)).expect(at=c2.eth0).expect(at=c3.eth0)
    apart = lab.negative("apart", control="flood").send(c1.eth0, frame(NOBODY)).never(at=net.other.eth0)

    for proof in (third, second, flood):
        proof.because("not-joined", lambda: not vnis(lab.place("h3")))
        proof.because("wrong-vni", lambda: v.VNI not in vnis(lab.place("h3")))
    apart.because("one-vni")


def vnis(host):
    """The networks that c3's bridge has a VXLAN port of."""
    bridge = host.vc3.master
    return [link["linkinfo"]["info_data"]["id"] for link in host.ask("ip -j -d link show type vxlan")
            if link and link.get("master") == bridge]


def sizes(lab, net):
    """The largest packet passes whole, and none is cut up on the way."""
    v, c1, c2 = net.v, net.c1, net.c2
    full = (lab.positive("full").send(c1, icmp(v.C2, df=True, size=1450 - 28))
            .expect(at=net.r1, src=v.H1, length=1500, fragment=False).expect(at=c2.eth0, length=1450))
    full.because("mtu-low", lambda: min(c1.eth0.mtu, c2.eth0.mtu) < 1450)
    ways = [("whole-1", c1, v.C2, net.r1), ("whole-2", c2, v.C1, net.r2)]
    ways += [("whole-3", net.c3, v.C1, net.r3)] if lab.stage > 1 else []
    for key, sender, receiver, wire in ways:
        whole = lab.negative(key, control="full").send(sender, udp(receiver, 9, size=1500 - 28))
        whole.never(at=wire, fragment=True).because("cut-up")
    containers = [sender for _, sender, _, _ in ways]
    mtu = lab.state("mtu", lambda: all(each.eth0.mtu == 1450 for each in containers))
    mtu.because("cut-up", lambda: any(each.eth0.mtu > 1450 for each in containers))
    mtu.because("mtu-low")


def nowhere_else(lab, net):
    """What has one receiver goes to one host."""
    v, c1, c2 = net.v, net.c1, net.c2
    only = lab.negative("only", control="back").send(c2.eth0, frame(lambda: net.mac(c1))).never(at=net.r3)
    only.because("flooded", lambda: only.saw(net.r3, src=v.H2))
    if lab.stage > 1:
        third = lab.negative("only-third", control="third").send(c1.eth0, frame(lambda: net.mac(net.c3)))
        third.never(at=net.r2).because("flooded", lambda: third.saw(net.r2, src=v.H1))
