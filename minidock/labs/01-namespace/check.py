"""A datagram on red's loopback is answered there, and is another network's than the host's."""

from minidock.probes.packets import udp


def check(lab):
    red, host, port = lab.place(lab.vars.RED), lab.host, lab.vars.PORT
    inside = (lab.positive("inside").send(red, udp("127.0.0.1", port))
              .expect(at=red.lo, dport=port).expect_reply(at=red.lo, sport=port))
    refused = (lab.positive("refused").send(host, udp("127.0.0.1", port))
               .expect_error(at=host.lo, icmp=(3, 3)))
    (lab.negative("apart", control="inside").send(red, udp("127.0.0.1", port)).never(at=host.lo))
    lab.state("own-stack", lambda: red.inode != host.inode)

    inside.because("no-namespace", lambda: not red.exists)
    inside.because("lo-down", lambda: not red.lo.up)
    inside.because("listener-on-host", lambda: refused.failed)
    inside.because("process-elsewhere", lambda: listens_elsewhere(host, port))
    inside.because("nobody-listens")
    refused.because("listener-on-host")


def listens_elsewhere(host, port):
    """Does a process hold the port in any network namespace?"""
    line = f"cat /proc/[0-9]*/net/udp 2>/dev/null | grep -qi ':{port:04x} 0' && echo yes"
    return host.ask(line) == "yes\n"
