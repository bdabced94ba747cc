"""Every address of the network is asked for on the wire; what answers must be what the ledger says."""

import functools

from minidock.probes.packets import arp


def check(lab):
    host, one, squatter, prefix = lab.host, lab.container("one"), lab.place(lab.vars.SQUATTER), lab.vars.PREFIX
    wire, known = host.tiny0, functools.cache(lambda: network(host))
    book = functools.cache(lambda: ledger(known()))
    kept = lab.state("same-size", lambda: subnet(known()) == lab.vars.NET or subnet(known()))
    evicted = lab.state("evicted", lambda: not squats(lab, squatter) or f"{lab.vars.SQUATTER}: {lab.vars.ONE}")
    gateway = (lab.positive("gateway").send(one.eth0, arp(lab.vars.GATEWAY))
               .expect_reply(at=one.eth0, responders=1, arp_mac=lambda: wire.mac))
    owners = [owner(lab, f"{prefix}.{number}", number, wire, book) for number in range(2, 7)]
    for key, number in (("network-silent", 0), ("broadcast-silent", 7)):
        lab.negative(key, control="owner-2").send(wire, arp(f"{prefix}.{number}")).never_reply(at=wire)
    reserved = (lab.positive("reserved").run(host, f"minidock inspect printer --format '{FIXED}'", within=2.0)
                .prints(f"fixed: {lab.vars.FIXED}"))
    reused = lab.state("reused", lambda: book().get(lab.vars.OLD, ("",))[0] not in ("", "old") or "old")
    refused(lab, "full", "run --dry-run --net tiny true", "no available IPv4 addresses")
    refused(lab, "overlap", f"net create --dry-run overlap --subnet {lab.vars.WIDE}", "overlaps")

    kept.because("no-network", lambda: not subnet(known()))
    kept.because("wider")
    for proof in (evicted, owners[0]):
        proof.because("ledger-edited", lambda: book().get(lab.vars.ONE, ("", one.eth0.mac))[1] != one.eth0.mac)
    evicted.because("victim-moved", lambda: book().get(lab.vars.ONE, ("nobody",))[0] != "one")
    evicted.because("only-down", lambda: not (squatter.eth0.up and host.device(f"port{lab.vars.P}").up))
    evicted.because("still-there")
    gateway.because("no-gateway", lambda: wire.exists and not wire.addresses)
    reserved.because("not-reserved")
    reused.because("not-released", lambda: book().get(lab.vars.OLD, ("",))[0] == "old")
    for proof in owners:
        proof.because("not-full")


FIXED = "fixed: {{.NetworkSettings.Networks.tiny.IPAMConfig.IPv4Address}}"


def owner(lab, address, number, wire, book):
    """Exactly one machine answers for the address, the one that the ledger names."""
    return (lab.positive(f"owner-{number}").send(wire, arp(address))
            .expect_reply(at=wire, responders=1, arp_mac=lambda: book().get(address, ("", "nobody"))[1]))


def refused(lab, key, words, answer):
    """minidock refuses this, with these words; --dry-run, so that nothing is done if it does not."""
    lab.positive(key).run(lab.host, f"minidock {words}", within=2.0).fails().prints(answer)


def network(host):
    """What minidock knows of tiny."""
    found = host.ask("minidock net inspect tiny")
    return found[0] if isinstance(found, list) and found else {}


def subnet(known):
    """tiny's subnet, "" if there is no such network."""
    return known.get("IPAM", {}).get("Config", [{}])[0].get("Subnet", "")


def ledger(known):
    """Address: the container that holds it, and its MAC."""
    leases = known.get("Containers", {}).values()
    return {lease["IPv4Address"].partition("/")[0]: (lease["Name"], lease["MacAddress"]) for lease in leases}


def squats(lab, squatter):
    """Does a machine that is in no ledger hold an address of tiny, plugged into its bridge?"""
    port = lab.host.device(f"port{lab.vars.P}")
    return (squatter.exists and port.exists and port.master == "tiny0"
            and f" {lab.vars.PREFIX}." in squatter.ask("ip -4 -o address"))
