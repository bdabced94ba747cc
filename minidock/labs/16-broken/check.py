"""The network is what its healthy twin was: by packets, line by line, and without anything made anew."""

from collections import Counter
from shlex import quote

from minidock.probes.packets import icmp, tcp

OUTSIDE = "203.0.113.10"


def check(lab):
    host, values, ext = lab.host, lab.vars, lab.place("internet")
    api, db, stranger = (lab.container(name) for name in ("api", "db", "stranger"))
    case = Case(lab)

    proofs = [
        lab.positive("served").send(api, tcp(values.DB, 5432)).expect(at=db.eth0, src=values.API, ttl=64)
        .expect_reply(at=api.eth0, src=values.DB, ttl=64),
        lab.positive("large").send(api, icmp(values.DB, size=1400, df=True)).expect(at=db.eth0)
        .expect_reply(at=api.eth0),
        lab.positive("named").run(host, "minidock exec api curl -s --max-time 0.6 http://db:5432/{nonce}", within=1.5)
        .prints("hello from db"),
        lab.positive("published").send(ext, tcp("198.51.100.2", values.PORT))
        .expect(at=api.eth0, src="198.51.100.1", dst=values.API, dport=80)
        .expect_reply(at=ext.gateway0, src="198.51.100.2", sport=values.PORT),
        lab.positive("out-api").send(api, icmp(OUTSIDE)).expect(at=host.up0, src="198.51.100.2")
        .expect_reply(at=api.eth0),
        lab.positive("out-db").send(db, icmp(OUTSIDE)).expect(at=host.up0, src="198.51.100.2").expect_reply(at=db.eth0),
        lab.positive("out-stranger").send(stranger, icmp(OUTSIDE)).expect_reply(at=stranger.eth0),
        lab.negative("apart", control="out-stranger").send(stranger, tcp(values.DB, 5432)).never(at=db.eth0),
        lab.negative("private", control="published").send(ext, tcp("198.51.100.2", 5432)).never(at=db.eth0),
        lab.state("same", lambda: not case.rebuilt()),
        lab.state("repaired", lambda: not case.ill() or f"{case.ill()} of {values.FAULTS}"),
        lab.state("twin", lambda: not case.differences() or case.told()),
        lab.state("diagnosis", lambda: case.named() or lab.prediction or "-"),
    ]
    for proof in proofs:
        proof.because("rebuilt", case.rebuilt)
        proof.because("flushed", case.flushed)
        proof.because("symptom", lambda: case.ill() and case.added())
        proof.because("broken", case.ill)
        proof.because("collateral", case.differences)
        proof.because("misnamed", lambda: not case.named())


class Case:
    """What start.sh wrote down, and what is so now; each is looked at once."""

    def __init__(self, lab):
        self.lab, self.known = lab, {}

    def picture(self, name):
        """How often each line is in a picture: healthy, broken or now."""
        line = "bash /run/lab/picture.sh" if name == "now" else f"cat /run/lab/{name}"
        if name not in self.known:
            self.known[name] = Counter(self.lab.host.ask(line).splitlines())
        return self.known[name]

    def differences(self):
        """What is missing, or too much, against the healthy twin."""
        return [*(self.picture("healthy") - self.picture("now")), *(self.picture("now") - self.picture("healthy"))]

    def added(self):
        """What differs from the healthy twin that did not when the lab began."""
        healthy, broken, now = (self.picture(name) for name in ("healthy", "broken", "now"))
        return [*((now - healthy) - (broken - healthy)), *((healthy - now) - (healthy - broken))]

    def told(self):
        """How many differences, and those that the learner made."""
        return "\n".join([f"{len(self.differences())} ≠", *(" ".join(line.split()) for line in self.added()[:4])])

    def rebuilt(self):
        """Is a container another one than at the start?"""
        gone = self.picture("healthy") - self.picture("now")
        return any(line.split()[1] == "is" for line in gone)

    def flushed(self):
        """Has the host's filter or nat no rules left to speak of?"""
        return not all(any(line.startswith(f"host -A {chain} ") for line in self.picture("now"))
                       for chain in ("FORWARD", "POSTROUTING"))

    def ill(self):
        """How many faults are still there: the kernel is asked about each, all in one shell."""
        if "ill" not in self.known:
            asked = [f"{{\n{question}\n}} >/dev/null 2>&1 && echo well" for question in self.lab.vars._HEALTHY]
            script = "\n".join([". /run/lab/words.sh", *asked])
            self.known["ill"] = len(asked) - self.lab.host.ask(f"bash -c {quote(script)}").split().count("well")
        return self.known["ill"]

    def named(self):
        """Has the learner named all faults, in any order?"""
        given, right = (sorted(" ".join(part.lower().split()) for part in text.split(","))
                        for text in (self.lab.prediction, self.lab.vars._NAMES0))
        return given == right
