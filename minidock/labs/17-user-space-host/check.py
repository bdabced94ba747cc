"""A program on a TAP device is asked as a host is asked: who has this address, and are you there?"""

from minidock.probes.packets import arp, icmp, noting


def check(lab):
    red, blue, host, address, mac = lab.place("red"), lab.place("blue"), lab.host, lab.vars.ADDRESS, lab.vars.MAC
    ttl, before = lab.vars.TTL, []
    asked = (lab.positive("arp").send(red.eth0, arp(address, src=lab.vars.RED)).expect(at=host.tap0, mac_dst=EVERYBODY)
             .expect_reply(at=red.eth0, responders=1, mac_src=mac, arp_mac=mac, dst=lab.vars.RED))
    others = (lab.negative("not-others", control="arp").send(red.eth0, arp(lab.vars.NOBODY, src=lab.vars.RED))
              .never_reply(at=red.eth0))
    echo = (lab.positive("echo").send(red, icmp(noting(before, lambda: received(red), address), size=200))
            .expect(at=host.tap0, within=0.6, dst=address, mac_dst=mac)
            .expect_reply(at=red.eth0, within=0.6, src=address, dst=lab.vars.RED, ttl=ttl, mac_src=mac, length=228))
    second = (lab.positive("second").send(blue, icmp(address))
              .expect_reply(at=blue.eth0, within=0.6, src=address, dst=lab.vars.BLUE, ttl=ttl, mac_src=mac))
    addressed = lab.negative("addressed", control="second").send(blue, icmp(address)).never_reply(at=red.eth0)
    lab.then()
    accepted = lab.state("accepted", lambda: received(red)["InEchoReps"] > before[0]["InEchoReps"] or "0")
    lab.state("no-kernel", lambda: not (host.knows(address) or host.tap0.addresses))
    lab.state("program", lambda: bool(readers(host)))

    asked.because("no-tap", lambda: not host.tap0.exists)
    asked.because("tun", lambda: host.tap0.facts["linkinfo"]["info_data"]["type"] == "tun")
    asked.because("kernel-answers", lambda: host.knows(address))
    asked.because("unplugged", lambda: host.tap0.master != "lab0")
    asked.because("nobody-reads", lambda: not readers(host))
    asked.because("no-arp")
    others.because("answers-everyone")
    echo.because("same-mac", lambda: host.tap0.facts.get("address") == mac)
    echo.because("not-swapped", lambda: echo.saw(red.eth0, icmp=(0, 0), dst=address))
    echo.because("arp-only", lambda: echo.saw(host.tap0, icmp=(8, 0)) and not echo.saw(host.tap0, icmp=(0, 0)))
    echo.because("other-ttl", lambda: echo.saw(red.eth0, icmp=(0, 0)) and not echo.saw(red.eth0, icmp=(0, 0), ttl=ttl))
    second.because("one-peer")
    addressed.because("broadcast")
    accepted.because("checksum-kept", lambda: received(red)["InCsumErrors"] > before[0]["InCsumErrors"])


EVERYBODY = "ff:ff:ff:ff:ff:ff"


def received(place):
    """What the kernel there has counted of ICMP: an answer with a wrong checksum is no answer (man 8 nstat)."""
    names, numbers = [line.split()[1:] for line in place.ask("cat /proc/net/snmp").splitlines()
                      if line.startswith("Icmp:")]
    return dict(zip(names, map(int, numbers), strict=True))


def readers(host):
    """The processes at tap0's other end."""
    return host.ask("grep -ls '^iff:.tap0$' /proc/[0-9]*/fdinfo/*")
