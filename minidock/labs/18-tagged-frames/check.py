"""A program between two stations and a trunk is a switch: frames are tagged on the trunk, bare at their own station."""

from minidock.probes.packets import arp, icmp


def check(lab):
    host, office, red, blue = lab.host, lab.place("office"), lab.place("red"), lab.place("blue")
    one, two, first, second = lab.vars._VLAN1, lab.vars._VLAN2, lab.vars.GATEWAY1, lab.vars.GATEWAY2
    sent = sending(lab, "sent", red, first, one)
    sent_blue = sending(lab, "sent-blue", blue, second, two)
    asked = asking(lab, "asked", red, lab.vars.RED, first, one)
    asked_blue = asking(lab, "asked-blue", blue, lab.vars.BLUE, second, two)
    apart = (lab.negative("apart", control="asked-blue").send(office.trunk, arp(lab.vars.BLUE, vlan=one))
             .never(at=blue.eth0))
    bare = (lab.negative("bare", control="asked").send(office.trunk, arp(lab.vars.RED)).never(at=red.eth0)
            .never(at=blue.eth0))
    chosen = (lab.negative("chosen", control="sent").send(red.eth0, arp(second, src=lab.vars.RED, vlan=two))
              .never(at=office.trunk, vlan=two))
    (lab.negative("deaf", control="asked").send(host.vred, arp(lab.vars.RED, src=first, vlan=one))
     .never_reply(at=red.eth0))

    sent.because("not-running", lambda: not running(host))
    for proof in (sent, sent_blue):
        proof.because("untagged", lambda proof=proof: proof.saw(office.trunk, vlan=None))
        proof.because("other-vlan", lambda proof=proof: proof.saw(office.trunk))
    for proof, there, tag in ((asked, red, one), (asked_blue, blue, two)):
        proof.because("tag-kept", lambda proof=proof, there=there, tag=tag: proof.saw(there.eth0, vlan=tag))
    apart.because("every-vlan")
    bare.because("native")
    chosen.because("station-chooses")


def sending(lab, key, station, gateway, vid):
    """What a station sends to its gateway, as much as fits, has the tag of its VLAN on the trunk, and none before."""
    return (lab.positive(key).send(station, icmp(gateway, size=1472, df=True)).expect(at=station.eth0, vlan=None)
            .expect(at=lab.place("office").trunk, vlan=vid, length=1500))


def asking(lab, key, station, address, gateway, vid):
    """A gateway's question in a VLAN reaches the station bare, and the answer comes back with the tag."""
    trunk = lab.place("office").trunk
    return (lab.positive(key).send(trunk, arp(address, src=gateway, vlan=vid)).expect(at=station.eth0, vlan=None)
            .expect_reply(at=trunk, vlan=vid, responders=1))


def running(host):
    """The learner's program, as a process."""
    return host.ask("grep -ls '/run/switc[h].py' /proc/[0-9]*/cmdline")
