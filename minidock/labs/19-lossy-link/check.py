"""Of twenty packets each way twenty arrive; one way at once, the other way when they should, by the kernel's clock."""

from minidock.probes.packets import icmp, udp

MANY = 20
AT_ONCE, AROUND = 0.15, 0.3  # seconds


def check(lab):
    host, near, far, delay = lab.host, lab.place("near"), lab.place("far"), lab.vars.DELAY / 1000
    everything = (lab.positive("all").send(near, udp(lab.vars.FAR, 9), times=MANY).expect(at=far.eth0, count=MANY)
                  .expect(at=host.vnear, count=MANY))
    port = (lab.positive("port").send(near, udp(lab.vars.FAR, lab.vars.PORT), times=MANY)
            .expect(at=far.eth0, count=MANY).expect(at=host.vnear, count=MANY))
    quick = (lab.positive("quick").send(near, icmp(lab.vars.FAR, size=1472, df=True))
             .expect(at=far.eth0, within=0.8, took=(0, AT_ONCE), length=1500))
    late = (lab.positive("late").send(far, udp(lab.vars.NEAR, 9), times=MANY)
            .expect(at=near.eth0, within=0.9, took=(delay - 0.02, delay + AROUND))
            .expect(at=near.eth0, within=0.9, count=MANY).expect(at=host.vfar, count=MANY))

    everything.because("loss-left", lambda: everything.saw(far.eth0) or "loss" in queues(host, "vfar"))
    port.because("filter-left", lambda: everything.passed and not port.saw(far.eth0))
    quick.because("half-each", lambda: "delay" in queues(host, "vnear") and "delay" in queues(host, "vfar"))
    quick.because("other-side", lambda: quick.saw(far.eth0))
    late.because("short-queue", lambda: 0 < len(late.heard(near.eth0)) < MANY)
    late.because("no-delay", lambda: "delay" not in queues(host, "vnear"))
    late.because("other-delay")


def queues(host, device):
    """What stands at this device's way out."""
    return host.ask(f"tc qdisc show dev {device}")
