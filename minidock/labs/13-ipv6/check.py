"""One owner, found by neighbour discovery; reached at its own address, at the published port and no other."""

import secrets

from minidock.probes.packets import icmp, nd, tcp

EXT, BEYOND = "2001:db8:100::1", "2001:db8:203::10"


def check(lab):
    host, ext, web, values = lab.host, lab.place("internet"), lab.container("web"), lab.vars
    bridge, near = host.device("br-six"), values.NEAR
    elsewhere = f"2001:db8:203::{secrets.randbelow(0xF000) + 0x100:x}"  # its path has not been learned yet
    owner = (lab.positive("owner").send(bridge, nd(values.WEB))
             .expect_reply(at=bridge, responders=1, mac_src=lambda: web.eth0.mac))
    neighbours = (lab.positive("neighbours").send(host, tcp(values.WEB, 80)).expect(at=web.eth0, ttl=64)
                  .expect_reply(at=bridge, src=values.WEB))
    local = (lab.positive("link-local").send(bridge, tcp(near, 80)).expect(at=web.eth0, ttl=64)
             .expect_reply(at=bridge, src=near))
    too_big = (lab.positive("too-big").send(web, icmp(elsewhere, size=1400))
               .expect_error(at=web.eth0, icmp=(2, 0), mtu=1400))
    published = (lab.positive("published").send(ext, tcp(values.WEB, 80)).expect(at=web.eth0, src=EXT, ttl=63)
                 .expect_reply(at=ext.gateway0, within=0.8, src=values.WEB))
    own = (lab.positive("own-address").send(web, icmp(BEYOND)).expect(at=ext.gateway0, src=values.WEB, ttl=63)
           .expect_reply(at=web.eth0, src=BEYOND))
    closed = (lab.negative("closed", control="published").send(ext, tcp(values.WEB, values.ADMIN))
              .never(at=web.eth0))

    for proof in (owner, neighbours, local, published, own):
        proof.because("not-running", lambda: not web.exists)
        proof.because("v6-off", lambda: off(host, web))
    for proof in (owner, neighbours):
        proof.because("dad-failed", lambda: any(info.get("dadfailed") for info in web.eth0.facts["addr_info"]))
    owner.because("twin", lambda: twins(host))
    for proof in (too_big, own):
        proof.because("nat66", lambda: own.saw(ext.gateway0) and not own.saw(ext.gateway0, src=values.WEB))
    for proof in (neighbours, local, too_big):
        proof.because("nd-only", lambda: too_big.failed and neighbours.passed and local.passed)
        proof.because("hardened", lambda: "icmp -j DROP" in host.ask("ip6tables -S INPUT; ip6tables -S OUTPUT"))
    published.because("not-published")
    closed.because("input-only", lambda: "--dport" in host.ask("ip6tables -S INPUT"))
    closed.because("open")


def off(host, web):
    """Has somebody switched IPv6 off, here or there?"""
    return "1" in (host.sysctl("net.ipv6.conf.br-six.disable_ipv6"), host.sysctl("net.ipv6.conf.up0.disable_ipv6"),
                   web.sysctl("net.ipv6.conf.eth0.disable_ipv6"))


def twins(host):
    """Does the printer still claim what is web's?"""
    return "::80/64" in host.ask("ip -n printer -6 -o address show dev eth0 2>/dev/null")
