"""Where web's questions go: to the name server of its own network, and only the right ones further."""

import sys
from pathlib import Path

from minidock.probes.packets import icmp

ASK = f"{sys.executable} -ISE {Path(__file__).with_name('ask.py')}"
INNER = "127.0.0.11"


def check(lab):
    web, db, host, values = lab.container("web"), lab.container("db"), lab.host, lab.vars
    files = host.ask("minidock exec web cat /etc/hosts /etc/resolv.conf") if web.exists else ""
    server, shop = resolver(files), f"10.{values.S}.1."
    standing, here, there = legs(web), *(place.device(f"{values.SHOP}0") for place in (web, db))

    def asks(proof, name):
        return proof.run(web, f"{ASK} {server} {name} {{nonce}}")

    def asks_home(key, name, answer):
        return asks(lab.positive(key), name).expect(at=web.lo, within=0.9, dst=INNER).prints(answer)

    answered = asks_home("db", "db", f"db: {values.DBIP}, ttl 600")
    alias = asks_home("alias", values.ALIAS, f"{values.ALIAS}: {values.DBIP}, ttl 600")
    reached = (lab.positive("reached").send(web, icmp(values.DBIP)).expect(at=there)
               .expect_reply(at=here, src=values.DBIP, ttl=64))
    asks_home("backwards", values.DBIP, f"db.{values.SHOP}, ttl 600")
    external = (asks_home("external", "web.example", "web.example: 203.0.113.10")
                .expect(at=host.up0, within=0.9, src="198.51.100.2", dport=53))
    stranger = asks(lab.negative("stranger", control="external"), "vault").never(at=host.up0).prints("vault: nothing")
    asks(lab.negative("home", control="external"), "db").never(at=host.up0).never(at=here)

    for proof in (answered, alias, reached, external):
        proof.because("not-running", lambda: not (web.exists and db.exists))
        proof.because("hosts-file", lambda: " db" in files)
        proof.because("resolver-elsewhere", lambda: server != INNER and "10" in {each[:2] for each in standing})
        proof.because("default-network", lambda: server != INNER)
        proof.because("other-network", lambda: not any(each.startswith(shop) for each in standing))
        proof.because("not-moved", lambda: not db.knows(values.DBIP))
    alias.because("no-alias")
    stranger.because("leaked", lambda: stranger.saw(host.up0))
    stranger.because("no-stranger")


def resolver(files):
    """The name server that web's own programs ask."""
    lines = files.splitlines()
    return next((line.split()[1] for line in lines if line.startswith("nameserver ")), INNER)


def legs(place):
    """{address: device} of its IPv4 addresses, the loopback's left out."""
    links = place.ask("ip -j -4 address") if place.exists else []
    return {info["local"]: link["ifname"] for link in links if link["ifname"] != "lo" for info in link["addr_info"]}
