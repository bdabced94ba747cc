"""What the packets must show, in a sentence."""

from minidock.probes.packets import icmp


def check(lab):
    host, guest, address = lab.host, lab.place("guest"), lab.vars.ADDRESS
    ping = (lab.positive("ping").send(host, icmp(address)).expect(at=guest.eth0, dst=address, ttl=64)
            .expect_reply(at=guest.eth0))
    lab.negative("quiet", control="ping").send(host, icmp(address)).never(at=host.up0)

    ping.because("no-cable", lambda: not guest.eth0.exists)
    ping.because("no-address", lambda: not guest.eth0.addresses)
    ping.because("no-route", lambda: ping.saw(host.up0))
