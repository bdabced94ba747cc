"""One wire from red to blue: the same bytes at both ends, and nobody else on it."""

from minidock.probes.packets import arp, icmp


def check(lab):
    red, blue, host, a, b = lab.place("red"), lab.place("blue"), lab.host, lab.vars.A, lab.vars.B
    echo = (lab.positive("echo").send(red, icmp(b))
            .expect(at=blue.eth0, src=a, ttl=64, mac_src=lambda: red.eth0.mac, same_as=red.eth0)
            .expect_reply(at=red.eth0, src=b, ttl=64))
    lab.positive("back").send(blue, icmp(a)).expect(at=red.eth0, src=b, ttl=64, same_as=blue.eth0)
    (lab.positive("arp").send(red.eth0, arp(b, src=a)).expect(at=blue.eth0, mac_src=lambda: red.eth0.mac)
     .expect_reply(at=red.eth0, responders=1, arp_mac=lambda: blue.eth0.mac))
    lab.negative("private", control="echo").send(red, icmp(b)).never(at=host.lo).never(at=host.up0)

    echo.because("no-cable", lambda: not (red.eth0.exists and blue.eth0.exists))
    echo.because("end-down", lambda: not (red.eth0.up and blue.eth0.up))
    echo.because("through-host", lambda: echo.saw(blue.eth0, ttl=63))
    echo.because("no-address", lambda: not (red.eth0.addresses and blue.eth0.addresses))
    echo.because("host-masks", lambda: any(text.endswith("/32") for text in red.eth0.addresses))
    echo.because("two-subnets", lambda: not (red.knows(a) and blue.knows(b)))
