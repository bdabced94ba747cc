"""A playground is a whole host, touches nothing of the machine's, and is gone when it ends."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.kernel.playground_cli import (
    CLI,
    CODE,
    ENVIRONMENT,
    eventually,
    inside,
    needs_root,
    picture_of_the_machine,
    processes_in,
    run,
)

pytestmark = needs_root


# The network


def test_there_is_an_uplink_and_no_other_way_out() -> None:
    links = json.loads(inside("ip -j address"))
    assert {link["ifname"] for link in links} == {"lo", "up0"}
    uplink = next(link for link in links if link["ifname"] == "up0")
    addresses = {f"{info['local']}/{info['prefixlen']}" for info in uplink["addr_info"]
                 if info["scope"] == "global"}
    assert addresses == {"198.51.100.2/24", "2001:db8:100::2/64"}
    assert uplink["operstate"] == "UP"
    beyond = {link["ifname"] for link in json.loads(inside("ip -j -n internet link"))}
    assert beyond == {"lo", "gateway0"}


def test_the_default_route_leads_to_the_gateway_and_is_not_minidocks() -> None:
    routes = [json.loads(inside(f"ip -j {family} route show default"))[0] for family in ("-4", "-6")]
    assert [(route["gateway"], route["dev"], route["protocol"]) for route in routes] == [
        ("198.51.100.1", "up0", "static"), ("2001:db8:100::1", "up0", "static")]
    assert "group default" in inside("ip link show up0")


def test_a_fresh_host_forwards_nothing_though_the_machine_may() -> None:
    assert inside("cat /proc/sys/net/ipv4/ip_forward") == "0\n"
    script = """cd /proc/sys/net/ipv4; echo 1 > ip_forward; cat ip_forward
        "$0" -c "$1" -- cat /proc/sys/net/ipv4/ip_forward; cat ip_forward"""
    done = run("--", "sh", "-ec", script, sys.executable, CODE)
    assert (done.stdout, done.stderr) == ("1\n0\n1\n", "")


@pytest.mark.parametrize(("url", "client"), [
    ("http://web.example/", "[2001:db8:100::2]"), ("http://203.0.113.10/any/path", "198.51.100.2"),
    ("http://198.51.100.1/", "198.51.100.2"), ("http://[2001:db8:100::1]/", "[2001:db8:100::2]")])
def test_the_web_server_says_who_the_client_is(url: str, client: str) -> None:
    greeting = inside(f"curl -sS --local-port 40000 '{url}'")
    assert greeting == f"hello from the internet: you are {client}:40000\n"


def test_names_are_answered_over_udp_and_tcp_and_unknown_ones_denied() -> None:
    script = """
        for over in +notcp +tcp; do for server in 198.51.100.1 192.0.2.53 2001:db8:53::53; do
            dig +short $over @$server web.example; dig +short $over @$server WEB.example AAAA
            dig +short $over @$server -x 198.51.100.1
            dig $over @$server no.such.example | grep -o 'status: [A-Z]*'
        done; done"""
    assert inside(script).split("\n")[:-1] == ["203.0.113.10", "2001:db8:203::10", "gateway.example.",
                                               "status: NXDOMAIN"] * 6


def test_the_resolver_and_the_hosts_file_are_the_playgrounds() -> None:
    out = inside("cat /etc/resolv.conf; getent ahostsv4 two.example | cut -d' ' -f1 | sort -u;"
                 " getent hosts playground")
    assert out.splitlines()[:3] == ["nameserver 198.51.100.1", "198.51.100.1", "203.0.113.10"]
    assert "playground" in out.splitlines()[3]


def test_echo_answers_on_udp_and_tcp() -> None:
    script = """
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for where in ("203.0.113.10", "2001:db8:100::1"):
        with socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, kind) as peer:
            peer.settimeout(3)
            peer.connect((where, 7))
            peer.send(b"anyone?")
            print(peer.recv(100))
"""
    assert run("--", sys.executable, "-c", script).stdout == "b'anyone?'\n" * 4


def test_the_firewall_is_empty_and_its_own() -> None:
    out = inside("iptables -S | wc -l; iptables -A INPUT -s 198.51.100.1 -j DROP; iptables -S | wc -l; "
                 "curl -sS -m1 http://198.51.100.1 || echo dropped; curl -sS -m3 http://203.0.113.10")
    assert out.splitlines()[:3] == ["3", "4", "dropped"]
    assert out.splitlines()[3].startswith("hello")


# The machine


def test_the_machine_does_not_notice() -> None:
    before = picture_of_the_machine()
    script = """ip netns add mine; ip link add br9 type bridge; mount -t tmpfs x /mnt; hostname other
        ip -br link; ls /run/netns; read x"""
    with subprocess.Popen([*CLI, "--", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=ENVIRONMENT) as cli:
        assert cli.stdout and cli.stdin
        seen = [cli.stdout.readline().split()[0] for _ in range(5)]
        assert seen == ["lo", "up0@if2", "br9", "internet", "mine"]  # it did all that, somewhere
        assert picture_of_the_machine() == before
        cli.stdin.write("\n")
    assert picture_of_the_machine() == before


def test_mounts_do_not_travel_to_a_machine_that_shares_its_own() -> None:
    script = """grep -m1 -o 'shared:' /proc/self/mountinfo; cat /proc/self/mountinfo > /tmp/mounts.$$
        "$0" -c "$1" -- sh -c 'mount -t tmpfs mine /mnt; grep -c mine /proc/self/mountinfo; sleep 0.1'
        cat /proc/self/mountinfo | diff - /tmp/mounts.$$ && echo same; rm /tmp/mounts.$$"""
    done = run(script, sys.executable, CODE, cli=["unshare", "-m", "--propagation", "shared", "sh", "-c"])
    assert (done.stdout, done.stderr) == ("shared:\n1\nsame\n", "")


def test_run_is_empty_and_minidocks_places_are_private() -> None:
    out = inside("ls /run; echo $MINIDOCK_ROOT $MINIDOCK_RUN $MINIDOCK_PLAYGROUND; hostname;"
                 " ls -d /var/lib/minidock 2>/dev/null || true")
    assert {"netns", "playground", "lock"} <= set(out.split("\n"))
    assert "/run/minidock-root /run/minidock -\nplayground\n" in out
    assert ("/var/lib/minidock" in out) == os.path.exists("/var/lib/minidock")


@pytest.mark.real_root
def test_a_resolv_conf_that_is_a_link_into_run_is_made_anew() -> None:
    script = """
        mount --make-rprivate /
        mount -t tmpfs none /mnt; cp -a /etc /mnt/etc; rm /mnt/etc/resolv.conf
        ln -s ../run/systemd/resolve/stub-resolv.conf /mnt/etc/resolv.conf
        mount --bind /mnt/etc /etc; mount -t tmpfs none /run
        mkdir -p /run/systemd/resolve; echo nameserver 127.0.0.53 > /run/systemd/resolve/stub-resolv.conf
        cat /etc/resolv.conf
        "$0" -c "$1" -- sh -c 'cat /etc/resolv.conf; curl -sS http://web.example'
        cat /etc/resolv.conf"""
    done = run(script, sys.executable, CODE, cli=["unshare", "-m", "sh", "-ec"])
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == lines[3] == "nameserver 127.0.0.53"
    assert lines[1] == "nameserver 198.51.100.1"
    assert lines[2].startswith("hello")


# Processes


@pytest.mark.parametrize(("command", "code"),
                         [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)])
def test_the_exit_code_is_passed_on(command: str, code: int) -> None:
    assert run("--", "sh", "-c", command).returncode == code


def test_a_command_that_cannot_start_is_said_like_a_shell_does() -> None:
    missing = run("--", "no-such-command")
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (
        127, "minidock: no-such-command: command not found in the playground")
    assert run("--", "/etc").returncode == 126


def test_words_of_ours_after_two_dashes_are_commands() -> None:
    assert "playground" in inside("exit 0") + run("ls", "--help").stdout
    assert run("--", "ls", "/run/netns").stdout == "internet\n"
    assert run("env", "-u", "HOME", "true").returncode == 0  # options after the command are the command's


def test_it_sees_its_own_processes_only_and_nobody_is_left_a_zombie() -> None:
    out = inside("(sleep 0.01 &); sleep 0.1; ps -e -ww -o stat=,args=")
    assert len(out.splitlines()) == 4  # reaper, servers, sh, ps
    assert "reaper.py" in out and not any(line.startswith("Z") for line in out.splitlines())


def test_signals_python_ignores_are_not_ignored_by_the_command() -> None:
    assert inside("grep SigIgn /proc/self/status").split()[1] == "0" * 16


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_cli_is_killed_everything_dies(number: signal.Signals) -> None:
    before = picture_of_the_machine()
    script = "setsid sleep 1000 & readlink /proc/self/ns/pid; sleep 1000; true"
    with subprocess.Popen([*CLI, "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True,
                          env=ENVIRONMENT) as cli:
        assert cli.stdout
        try:
            namespace = cli.stdout.readline().strip()
            assert eventually(lambda: len(processes_in(namespace)) == 5)  # reaper, servers, sh, two sleeps
        finally:
            cli.send_signal(number)
    assert cli.returncode in (-number, 128 + number)
    assert eventually(lambda: not processes_in(namespace))
    assert picture_of_the_machine() == before


def test_a_background_process_does_not_outlive_the_command() -> None:
    out = inside("setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1; readlink /proc/self/ns/pid;"
                 " pgrep -x sleep | wc -l")
    namespace, sleepers = out.split()
    assert (namespace[:4], sleepers) == ("pid:", "1")
    assert eventually(lambda: not processes_in(namespace))


def test_a_shell_has_job_control_and_gives_the_terminal_back() -> None:
    shell = f"{sys.executable} -c \"$CODE\""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(ENVIRONMENT, SHELL="/bin/bash", TERM="dumb", CODE=CODE, HOME="/nonexistent")
        os.execvp("sh", ["sh", "-c", f"{shell}; echo code=$?; read word; echo got $word"])
    heard = b""

    def hear(until: bytes) -> None:
        nonlocal heard
        end = time.monotonic() + 10
        while until not in heard:
            assert time.monotonic() < end, heard
            if select.select([terminal], [], [], 0.1)[0]:
                heard += os.read(terminal, 4096)
        heard = heard.partition(until)[2]

    hear(b"(playground) ")
    for words, answer in ((b"sleep 1000\n", b"sleep 1000"), (b"\x1a", b"Stopped"), (b"fg\n", b"sleep 1000"),
                          (b"\x03", b"(playground) "), (b"echo rc=$?\n", b"rc=130"), (b"exit 5\n", b"code=5"),
                          (b"something\n", b"got something")):
        time.sleep(0.1)
        os.write(terminal, words)
        hear(answer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
