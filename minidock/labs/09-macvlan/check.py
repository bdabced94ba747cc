"""Who sees which frame: inside the parent, on its wire, at the LAN's peer, and at the host."""

from functools import cache

from minidock.probes.packets import arp, frame, icmp

NOBODY = "02:00:5e:00:53:99"


def check(lab):
    host, peer, switch = lab.host, lab.place("peer1"), lab.place("switch")
    b1, b2, p1, p2, v1, v2, x1 = map(lab.container, ("b1", "b2", "p1", "p2", "v1", "v2", "x1"))
    for which, card, address in (("bridge", b1.eth0, lab.vars.B1), ("private", p1.eth0, lab.vars.P1),
                                 ("vepa", v1.eth0, lab.vars.V1), ("passthru", x1.lan1, lab.vars.X1)):
        seen = (lab.positive(f"lan-{which}").send(peer, icmp(address)).expect(at=card, ttl=64)
                .expect_reply(at=peer.eth0, ttl=64, mac_src=cache(lambda card=card: card.mac)))
        seen.because("bridge-driver", lambda card=card: kind(card) == "veth")
    same = lab.state("passthru-card", lambda: x1.lan1.mac == lab.vars.CARD or x1.lan1.mac)
    lab.positive("bridge-peer").send(b1, icmp(lab.vars.B2)).expect(at=b2.eth0, ttl=64).expect_reply(at=b1.eth0)
    lab.negative("bridge-inside", control="bridge-peer").send(b1, icmp(lab.vars.B2)).never(at=switch.host)
    lab.positive("private-asked").send(peer.eth0, arp(lab.vars.P2)).expect(at=p2.eth0).expect_reply(at=peer.eth0)
    private = (lab.negative("private", control="private-asked").send(p1.eth0, arp(lab.vars.P2, src=lab.vars.P1))
               .expect(at=switch.host).never(at=p2.eth0))
    lab.positive("passthru-all").send(peer.eth0, frame(NOBODY)).expect(at=x1.lan1)
    lab.negative("bridge-own", control="passthru-all").send(peer.eth0, frame(NOBODY)).never(at=b1.eth0)
    if lab.stage == 1:
        lab.negative("host-outside", control="lan-bridge").send(host.lan0, arp(lab.vars.B1)).never(at=b1.eth0)
    else:
        reached(lab, host, b1, switch)
    lab.then()
    vepa = reflected(lab, v1, v2, switch) if lab.stage == 3 else lost(lab, v1, v2, switch)
    modes = lab.state("modes", lambda: [mode(each) for each in (b1.eth0, p1.eth0, v1.eth0, x1.lan1)] == MODES)

    private.because("private-is-bridge", lambda: mode(p1.eth0) == "bridge")
    vepa.because("vepa-is-bridge", lambda: mode(v1.eth0) == "bridge")
    vepa.because("hairpin-elsewhere", lambda: reflecting(switch) and "host" not in reflecting(switch))
    vepa.because("no-hairpin", lambda: lab.stage == 3 and v2.exists and "host" not in reflecting(switch))
    same.because("not-the-card", lambda: x1.exists)
    modes.because("not-running", lambda: not all(each.exists for each in (b1, b2, p1, p2, v1, v2, x1)))


MODES = ["bridge", "private", "vepa", "passthru"]


def reached(lab, host, b1, switch):
    """The host's packet to b1 comes from a link of its own, not from the parent, and leaves no trace on the wire."""
    parent = cache(lambda: host.lan0.mac)
    way = (lab.positive("host").send(host, icmp(lab.vars.B1))
           .expect(at=b1.eth0, ttl=64, src=lab.vars.H, that=lambda said: said["mac_src"] != parent())
           .expect_reply(at=b1.eth0, dst=lab.vars.H))
    lab.negative("host-inside", control="host").send(host, icmp(lab.vars.B1)).never(at=switch.host)
    way.because("address-on-parent", lambda: f"{lab.vars.H}/" in " ".join(host.lan0.addresses))
    way.because("other-source", lambda: way.saw(b1.eth0) and not way.saw(b1.eth0, src=lab.vars.H))
    way.because("no-shim", lambda: b1.exists and not host.knows(lab.vars.H))


def lost(lab, v1, v2, switch):
    """A frame from v1 to v2 leaves by the wire, and the switch drops it."""
    wire = lab.positive("vepa-wire").send(v1.eth0, frame(lambda: v2.eth0.mac)).expect(at=switch.host, outgoing=False)
    lab.negative("vepa-dies", control="vepa-wire").send(v1.eth0, frame(lambda: v2.eth0.mac)).never(at=v2.eth0)
    return wire


def reflected(lab, v1, v2, switch):
    """It comes back by the same port, and arrives."""
    return (lab.positive("vepa-talk").send(v1, icmp(lab.vars.V2)).expect(at=switch.host, outgoing=True)
            .expect(at=v2.eth0, ttl=64).expect_reply(at=v1.eth0))


def kind(device):
    """veth, macvlan …"""
    return device.facts["linkinfo"]["info_kind"]


def mode(device):
    """A macvlan's mode; "" if it is none."""
    return device.facts["linkinfo"]["info_data"]["mode"] if kind(device) == "macvlan" else ""


def reflecting(switch):
    """The switch's ports that send frames back."""
    return [port["ifname"] for port in switch.ask("bridge -j -d link") if port.get("hairpin")]
