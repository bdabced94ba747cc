"""A published port: who reaches it, by which door, and which door the packet never passes."""

import re

from minidock.probes.packets import noting, tcp

SIX = "2001:db8:100::2"  # the host's


def check(lab):
    ext, web, db, host = lab.place("internet"), lab.container("web"), lab.container("db"), lab.host
    port, admin, address, passed = lab.vars.PORT, lab.vars.ADMIN, lab.vars.HOST, []
    reached = (lab.positive("reached").send(ext, tcp(noting(passed, lambda: through_input(host, port), address), port))
               .expect(at=web.eth0, src="198.51.100.1", dst=lambda: web.eth0.ip, dport=80, ttl=63)
               .expect_reply(at=ext.gateway0, src=address, sport=port))
    inside = (lab.positive("inside").send(web, tcp(lambda: db.eth0.ip, 5432))
              .expect(at=db.eth0, dport=5432).expect_reply(at=web.eth0))
    local = (lab.positive("local").send(host, tcp("127.0.0.1", admin)).expect(at=web.eth0, dport=8000)
             .expect_reply(at=web.eth0))
    lab.positive("knocks").send(ext, tcp(lambda: db.eth0.ip, 5432)).expect(at=host.up0, dport=5432)
    closed = lab.negative("admin-closed", control="reached").send(ext, tcp(address, admin)).never(at=web.eth0)
    lab.positive("forged").send(ext.gateway0, tcp("127.0.0.1", admin)).expect(at=host.up0, dst="127.0.0.1")
    (lab.negative("admin-forged", control="forged").send(ext.gateway0, tcp("127.0.0.1", admin)).never(at=web.eth0))
    private = lab.negative("private", control="reached").send(ext, tcp(address, 5432)).never(at=db.eth0)
    direct = (lab.negative("private-direct", control="knocks").send(ext, tcp(lambda: db.eth0.ip, 5432))
              .never(at=db.eth0))
    beside = (lab.negative("admin-direct", control="knocks").send(ext, tcp(lambda: web.eth0.ip, 8000))
              .never(at=web.eth0))
    nobody_by_six(lab, ext, web, port)
    lab.then()
    lab.state("past-input", lambda: through_input(host, port) == passed[0])
    page = (lab.positive("page").run(ext, f"curl -s --max-time 1 http://{address}:{port}/{{nonce}}", within=1.5)
            .expect(at=web.eth0, src="198.51.100.1").prints("hello from web: you are 198.51.100.1:"))

    reached.because("proxy", lambda: page.saw(web.eth0, src=lab.vars.GATEWAY))
    reached.because("bound-home", lambda: f"127.0.0.1:{port}" in host.ask("minidock port web"))
    reached.because("not-published", lambda: f"0.0.0.0:{port}" not in host.ask("minidock port web"))
    inside.because("db-down")
    local.because("admin-missing", lambda: f":{admin}" not in host.ask("minidock port web"))
    closed.because("admin-open", lambda: closed.saw(web.eth0))
    private.because("input-rule", lambda: private.saw(db.eth0) and host.ask("iptables -S INPUT").count(" 5432 ") > 1)
    private.because("still-published", lambda: private.saw(db.eth0))
    direct.because("unprotected", lambda: direct.saw(db.eth0))
    beside.because("trusted", lambda: beside.saw(web.eth0))


def nobody_by_six(lab, ext, web, port):
    lab.positive("knocks-six").send(ext, tcp(SIX, port)).expect(at=lab.host.up0, dst=SIX, dport=port)
    (lab.negative("no-relay", control="knocks-six")
     .run(ext, f"curl -gs --max-time 1 http://[{SIX}]:{port}/{{nonce}}").never(at=web.eth0))


def through_input(host, port):
    """How many packets the firewall's INPUT rules for the port have seen."""
    rules = re.findall(rf"^ *(\d+) .* dpt:{port}\b", host.ask("iptables -nvxL INPUT"), re.MULTILINE)
    return sum(map(int, rules))
