"""The tag is seen on the trunk and nowhere else, and a packet from red to blue is seen there twice, with both."""

from random import randint

from minidock.probes.packets import arp, icmp


def check(lab):
    host, router, switch, red, blue = lab.host, lab.place("router"), lab.place("switch"), lab.vars.RED, lab.vars.BLUE
    till, safe, shop, bank = lab.container("till"), lab.container("safe"), lab.place("peer1"), lab.place("peer2")
    in_red = crossing(lab, "tagged-red", till, lab.vars.SHOP, shop, red)
    in_blue = crossing(lab, "tagged-blue", safe, lab.vars.BANK, bank, blue)
    routed = (lab.positive("routed").send(till, icmp(lab.vars.SAFE)).expect(at=router.eth0, vlan=red, ttl=64)
              .expect(at=router.eth0, vlan=blue, ttl=63).expect(at=safe.eth0, vlan=None, ttl=63)
              .expect_reply(at=till.eth0, vlan=None, ttl=63))
    lab.positive("asked").send(bank.eth0, arp(lab.vars.SAFE)).expect(at=safe.eth0).expect_reply(at=bank.eth0)
    apart = (lab.negative("apart", control="asked").send(till.eth0, arp(lab.vars.SAFE)).never(at=safe.eth0)
             .never(at=bank.eth0))
    nobody = f"10.{lab.vars.S}.2.{randint(100, 250)}"  # another one each time: neighbours are remembered
    own_wire = (lab.negative("own-wire", control="routed").send(till, icmp(nobody)).expect(at=router.eth0, vlan=red)
                .never_question(at=till.eth0, who=nobody))
    native = (lab.positive("native").send(host.lan0, arp("10.77.0.1")).expect(at=router.eth0, vlan=None)
              .expect_reply(at=host.lan0, vlan=None))
    leak = (lab.negative("native-only", control="native").send(host.lan0, arp(lab.vars.BANK)).never(at=bank.eth0)
            .never(at=shop.eth0))
    (lab.positive("whole").send(till, icmp(lab.vars.SHOP, size=1472, df=True))
     .expect(at=shop.eth0, length=1500, df=True).expect_reply(at=till.eth0, length=1500))

    for proof, end, tag in ((in_red, till, red), (in_blue, safe, blue)):
        proof.because("tag-inside", lambda end=end: any(end.ask("ip -j link show type vlan")))
        proof.because("untagged", lambda end=end: parent(host, end) == "lan0")
        proof.because("other-vlan", lambda end=end, tag=tag: parent(host, end) != f"lan0.{tag}")
    for proof in (in_blue, native, leak):
        proof.because("wrong-native", lambda: native_vlan(switch) == blue)
    for proof in (apart, routed):
        proof.because("bridged", lambda: apart.saw(safe.eth0) or apart.saw(bank.eth0))
    own_wire.because("one-subnet", lambda: any("gateway" not in way for way in till.ask(f"ip -j route get {nobody}")))
    routed.because("not-running", lambda: not (till.exists and safe.exists))


def crossing(lab, key, here, address, there, tag):
    """A packet from a container to a station of its VLAN: tagged on the trunk, and only there."""
    return (lab.positive(key).send(here, icmp(address)).expect(at=here.eth0, vlan=None)
            .expect(at=lab.host.lan0, vlan=tag).expect(at=there.eth0, vlan=None, ttl=64)
            .expect_reply(at=here.eth0, vlan=None))


def parent(host, place):
    """The host's device that a container's eth0 stands on."""
    index = place.eth0.facts["link_index"]
    return next((link["ifname"] for link in host.ask("ip -j link") if link["ifindex"] == index), "")


def native_vlan(switch):
    """The VLAN of what comes in without a tag at the port of lan0."""
    vlans = [vlan for port in switch.ask("bridge -j vlan show dev host") for vlan in port["vlans"]]
    return next((vlan["vlan"] for vlan in vlans if "PVID" in vlan.get("flags", [])), 0)
