"""One MAC for three containers; and two that have none to speak of: no ARP, no broadcasts, only routes."""

from functools import cache

from minidock.probes.packets import arp, icmp, udp

ROUTER, HOST, PEER = "10.77.0.1", "10.77.0.2", "10.77.0.11"


def check(lab):
    host, peer, router = lab.host, lab.place("peer1"), lab.place("router")
    lan0, lan1 = cache(lambda: host.lan0.mac), cache(lambda: host.lan1.mac)
    near = {name: lab.container(name) for name in ("web1", "web2", "web3")}
    for name, address in zip(near, (lab.vars.W1, lab.vars.W2, lab.vars.W3), strict=True):
        seen = (lab.positive(name).send(near[name], icmp(PEER))
                .expect(at=peer.eth0, src=address, ttl=64, mac_src=lan1)
                .expect_reply(at=near[name].eth0, src=PEER))
        seen.because("macvlan", lambda name=name: kind(near[name]) == "macvlan")
        seen.because("not-ipvlan", lambda name=name: kind(near[name]) != "ipvlan")
    (lab.positive("asked").send(peer.eth0, arp(lab.vars.W1)).expect(at=near["web1"].eth0)
     .expect_reply(at=peer.eth0, responders=1, arp_mac=lan1))
    (lab.positive("siblings-asked").send(near["web1"].eth0, arp(lab.vars.W2, src=lab.vars.W1))
     .expect(at=near["web2"].eth0).expect(at=host.lan1))
    lab.then()
    lab.state("learned", lambda: learned(lab.place("switch")) == [lan1()] or f"{learned(lab.place('switch'))}")
    if lab.stage > 1:
        routed(lab, host, router, lan0)
    lab.proofs[-1].because("not-running", lambda: not all(each.exists for each in near.values()))


def routed(lab, host, router, lan0):
    """The L3 network: both subnets talk, nobody asks, nobody shouts; and the way back, when it is there."""
    cat, dog = lab.container("cat"), lab.container("dog")
    lab.positive("siblings").send(cat, icmp(lab.vars.D)).expect(at=dog.eth0, src=lab.vars.C).expect_reply(at=cat.eth0)
    sent = (lab.positive("sent").send(cat, icmp(ROUTER)).expect(at=host.lan0, mac_src=lan0)
            .expect(at=router.eth0, src=lab.vars.C))
    silent = (lab.negative("silent", control="sent").send(cat.eth0, arp(ROUTER, src=lab.vars.C)).never(at=host.lan0)
              .never(at=router.eth0))
    lab.negative("quiet", control="siblings").send(cat.eth0, udp("255.255.255.255", 9)).never(at=dog.eth0)
    lab.negative("nobody", control="asked").send(router.eth0, arp(lab.vars.C, src=ROUTER)).never_reply(at=router.eth0)
    sent.because("nat", lambda: sent.saw(router.eth0, src=HOST))
    for proof in (sent, silent):
        proof.because("mode-l2", lambda: link(cat)["info_kind"] == "ipvlan" and link(cat)["info_data"]["mode"] == "l2")
    if lab.stage == 2:
        lab.negative("one-way", control="sent").send(cat, icmp(ROUTER)).never_reply(at=cat.eth0)
        return
    answer = (lab.positive("answer").send(router, icmp(lab.vars.C)).expect(at=cat.eth0, src=ROUTER)
              .expect_reply(at=router.eth0, src=lab.vars.C))
    other = (lab.positive("answer-other").send(dog, icmp(ROUTER)).expect(at=router.eth0, src=lab.vars.D)
             .expect_reply(at=dog.eth0, src=ROUTER))
    for proof, subnet in ((answer, lab.vars.SC), (other, lab.vars.SD)):
        proof.because("proxy-arp", lambda subnet=subnet: [way for way in ways(router, subnet) if "gateway" not in way])
        proof.because("route-in-host", lambda subnet=subnet: ways(host, subnet) and not ways(router, subnet))
        proof.because("no-way-back", lambda subnet=subnet: cat.exists and not ways(router, subnet))


def link(place):
    """What `ip -d` says of a container's interface as a link of its kind."""
    return place.eth0.facts["linkinfo"]


def kind(place):
    """ipvlan, macvlan, veth …"""
    return link(place)["info_kind"]


def ways(place, subnet):
    """The routes to just this subnet."""
    return place.ask(f"ip -j route show exact {subnet}")


def learned(switch):
    """The MAC addresses that the switch has learned at the port of lan1."""
    return [entry["mac"] for entry in switch.ask("bridge -j fdb show dev host2") if entry.get("state", "") == ""
            and "master" in entry]
