"""Everybody talks; what the third port does not see makes it a switch."""

from minidock.probes.packets import frame, icmp

NOBODY = "02:00:5e:00:53:99"


def check(lab):
    red, green, blue, host = lab.place("red"), lab.place("green"), lab.place("blue"), lab.host
    red_blue = (lab.positive("red-blue").send(red, icmp(lab.vars.C)).expect(at=blue.eth0, ttl=64)
                .expect_reply(at=red.eth0, ttl=64))
    lab.positive("blue-green").send(blue, icmp(lab.vars.B)).expect(at=green.eth0, ttl=64).expect_reply(at=blue.eth0)
    lab.positive("green-red").send(green, icmp(lab.vars.A)).expect(at=red.eth0, ttl=64).expect_reply(at=green.eth0)
    lab.positive("flood").send(red.eth0, frame(NOBODY)).expect(at=host.vgreen).expect(at=host.vblue)
    lab.then()
    to_blue = frame(lambda: blue.eth0.mac)
    lab.positive("ten").send(red.eth0, to_blue, times=10).expect(at=host.vblue, count=10)
    switched = lab.negative("switched", control="ten").send(red.eth0, to_blue, times=10).never(at=host.vgreen)
    lab.state("learned", lambda: learned(host, {"vred": red, "vgreen": green, "vblue": blue}))
    unaddressed = lab.state("no-address", lambda: bridge_of(host).addresses or not forwards(host))

    red_blue.because("router", lambda: red_blue.saw(blue.eth0, ttl=63))
    red_blue.because("no-bridge", lambda: not any(ports(host)))
    for proof in lab.proofs[:3]:
        proof.because("port-left-out", lambda: not all(ports(host)))
        proof.because("bridge-down", lambda: not (bridge_of(host).up and all(host.device(name).up for name in PORTS)))
    switched.because("ageing-zero", lambda: bridge_of(host).facts["linkinfo"]["info_data"]["ageing_time"] == 0)
    unaddressed.because("bridge-address", lambda: bool(bridge_of(host).addresses))


PORTS = ("vred", "vgreen", "vblue")


def ports(host):
    """The bridge of each cable, "" where it is plugged into none."""
    return [host.device(name).master for name in PORTS]


def bridge_of(host):
    """The bridge that red's cable is plugged into."""
    return host.device(host.vred.master or "the bridge")


def forwards(host):
    """Is the host a router?"""
    return host.sysctl("net.ipv4.ip_forward") != "0"


def learned(host, owners):
    """Is each namespace's MAC in the table behind its own port?"""
    table = {entry["mac"]: entry["ifname"] for entry in host.ask("bridge -j fdb show") if "master" in entry}
    return all(table.get(place.eth0.mac) == port for port, place in owners.items()) or f"{table}"
