"""Through the front door and back, to oneself and to a neighbour; bridges show iptables their frames, or hide them."""

import functools

from minidock.probes.packets import tcp


def check(lab):
    hidden = 1 if lab.vars.NF == 0 else 2  # which of the two hosts has br_netfilter 0
    for n, side in enumerate(("east", "west"), 1):
        front_door(lab, Side(lab, side, n, 0 if n == hidden else 1))


class Side:
    """One host, with its two containers."""

    def __init__(self, lab, name, n, nf):
        self.name, self.nf, self.door = name, nf, f"198.18.{n}.2"
        self.host, self.web, self.api = lab.place(name), lab.place(f"{name}-web"), lab.place(f"{name}-api")
        self.wire, self.outside = lab.host.device(name), f"198.18.{n}.1"
        self.gateway, self.web_ip, self.api_ip = (f"10.{lab.vars.S}.{n}.{last}" for last in (1, 2, 3))

    def proxied(self, port):
        """Does a program of the host listen there?"""
        return bool(self.host.ask(f"ss -Hltn 'sport = :{port}'"))

    def hairpin(self):
        """May a frame leave by the port it came in by?"""
        return "hairpin on" in self.host.ask("bridge -d link show dev vweb")


def front_door(lab, side):
    """Both ask for host:PORT, and everybody else sees what they saw before."""
    web, api, port = side.web.eth0, side.api.eth0, lab.vars.PORT
    asked = tcp(side.door, port)
    itself = (lab.positive(f"itself-{side.nf}").send(side.web, asked)
              .expect(at=web, outgoing=True, src=side.web_ip, dst=side.door, dport=port)
              .expect(at=web, outgoing=False, src=side.gateway, dst=side.web_ip, dport=80)
              .expect_reply(at=web, outgoing=False, src=side.door, sport=port))
    peer = (lab.positive(f"peer-{side.nf}").send(side.api, asked).expect(at=web, outgoing=False, dport=80)
            .expect_reply(at=api, src=side.door, sport=port))
    direct = (lab.negative(f"direct-{side.nf}", control=f"peer-{side.nf}").send(side.api, asked)
              .never_reply(at=api, src=side.web_ip))
    outside = (lab.positive(f"outside-{side.nf}").send(lab.host, asked)
               .expect(at=web, src=side.outside, dport=80).expect_reply(at=side.wire, src=side.door, sport=port))
    ordinary = (lab.positive(f"ordinary-{side.nf}").send(side.api, tcp(side.web_ip, 80))
                .expect(at=web, src=side.api_ip, dport=80).expect_reply(at=api, src=side.web_ip, sport=80))
    seeded = lab.state(f"bridge-nf-{side.nf}",
                       lambda: side.host.sysctl("net.bridge.bridge-nf-call-iptables") == str(side.nf))

    told_of_itself(side, itself, port)
    peer.because("proxy", lambda: side.proxied(port))
    peer.because("answers-directly", lambda: direct.failed)
    for proof in (outside, ordinary):
        proof.because("proxy", lambda: side.proxied(port))
        proof.because("masquerades-all", lambda proof=proof: proof.saw(web, src=side.gateway))
    seeded.because("flipped")


def told_of_itself(side, itself, port):
    """How far did web's question come?"""
    web = side.web.eth0
    came_back = functools.partial(itself.saw, web, outgoing=False, src=side.web_ip)
    itself.because("short-cut", lambda: not itself.saw(web, dst=side.door))
    itself.because("proxy", lambda: side.proxied(port))
    itself.because("hairpin-alone", lambda: came_back() and side.hairpin())
    itself.because("own-source", came_back)
    itself.because("hairpin-off", lambda: side.nf == 1 and not side.hairpin())
