"""The flags of run, create and exec, each seen from inside the container (docker-behaviour.md §2, §6, §14)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from minidock.kernel import syscalls
from tests.ground import Host

DOCKER_CAPABILITIES = 0xA80425FB  # moby's oci/caps/defaults.go
HEX64 = re.compile(r"[0-9a-f]{64}\n")


@pytest.fixture
def br0(host: Host) -> Host:
    """A host with a network."""
    host.minidock("net", "create", "br0", "--subnet", "172.28.0.0/16")
    return host


def inside(host: Host, line: str, *flags: str) -> str:
    """What a shell line prints in a new container on br0 with these flags."""
    return host.minidock("run", "--rm", "--net", "br0", *flags, "sh", "-c", line).stdout


def test_whose_host_name(br0: Host) -> None:
    """--uts host shares the host's namespace; without it the name is the container's own, in host mode too (§2.4)."""
    ours, ask = os.uname().nodename, ("sh", "-c", "hostname; readlink /proc/self/ns/uts")
    shared = f"{ours}\n{os.readlink('/proc/self/ns/uts')}\n"
    assert br0.minidock("run", "--rm", "--net", "br0", "--uts", "host", *ask).stdout == shared
    assert br0.minidock("run", "--rm", "--net", "host", "--uts=host", *ask).stdout == shared
    assert br0.minidock("run", "--rm", "--net", "host", "-h", "box", *ask).stdout.startswith("box\nuts:")
    own = br0.minidock("run", "--rm", "--net", "host", *ask).stdout
    assert own.startswith(f"{ours}\n") and own != shared
    assert os.uname().nodename == ours


@pytest.mark.parametrize(("flags", "line", "expected"), [
    (["--hostname", "box"], "hostname; cat /etc/hostname; tail -1 /etc/hosts", "box\nbox\n172.28.0.2\tbox\n"),
    (["-h", "box"], "hostname", "box\n"),
    (["-h", "box", "--domainname", "example.org"],
     "hostname; cat /etc/hostname /proc/sys/kernel/domainname; tail -1 /etc/hosts; hostname -f",
     "box\nbox\nexample.org\n172.28.0.2\tbox.example.org box\nbox.example.org\n"),
    (["--ip", "172.28.9.9"], "ip -4 -br addr show eth0 | tr -s ' '", "eth0@if5 UP 172.28.9.9/16 \n"),
    (["--mac-address", "02:42:AC:1C:00:05"], "cat /sys/class/net/eth0/address", "02:42:ac:1c:00:05\n"),
    (["--mac-address", "02-42-ac-1c-00-05"], "cat /sys/class/net/eth0/address", "02:42:ac:1c:00:05\n"),
    (["-e", "A=1=2", "-e", "EMPTY=", "--env", "B=x y"], 'echo "$A|$EMPTY|$B"', "1=2||x y\n"),
    (["-e", "A=1", "-e", "A=2"], "env | grep -c ^A=; echo $A", "1\n2\n"),
    (["-e", "FROM_CALLER", "-e", "NOT_THERE"], "env | grep -e CALLER -e THERE", "FROM_CALLER=yes\n"),
    (["-w", "/usr"], "pwd", "/usr\n"),
    ([], "pwd", "/\n"),
    (["-u", "1234"], "id -u; id -g", "1234\n0\n"),
    (["-u", "nobody"], "id -un; id -g", "nobody\n65534\n"),
    (["--user", "12:34"], "id -u; id -g; id -G", "12\n34\n34\n"),
    (["--sysctl", "net.ipv4.conf.all.forwarding=1"], "cat /proc/sys/net/ipv4/ip_forward", "1\n"),
    (["--sysctl", "kernel.msgmax=4096"], "cat /proc/sys/kernel/msgmax", "4096\n"),
    ([], "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range",
     "0\n0\t2147483647\n"),
    ([], "grep CapEff /proc/self/status", f"CapEff:\t{DOCKER_CAPABILITIES:016x}\n"),
    (["--cap-add", "net_admin"], "grep CapEff /proc/self/status", f"CapEff:\t{DOCKER_CAPABILITIES | 1 << 12:016x}\n"),
    (["--cap-drop", "CAP_NET_RAW"], "grep CapEff /proc/self/status",
     f"CapEff:\t{DOCKER_CAPABILITIES & ~(1 << 13):016x}\n"),
    (["--cap-drop", "all", "--cap-add", "CHOWN"], "grep CapEff /proc/self/status", "CapEff:\t0000000000000001\n"),
    (["--init"], "echo $$ | sed 's/^1$/first/; s/^[0-9]*$/child/'", "child\n"),
    ([], "echo $$", "1\n"),
    ([], "cat /proc/1/comm; ls /sys/class/net | tr '\\n' ' '", "sh\neth0 lo "),
    ([], "echo out; echo err >&2", "out\n"),
    ([], "readlink /proc/self/fd/0; cat", "/dev/null\n"),  # without -i there is no input
])
def test_a_flag_is_seen_inside(br0: Host, flags: list[str], line: str, expected: str,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process in the container sees of the flag."""
    monkeypatch.setenv("FROM_CALLER", "yes")
    monkeypatch.delenv("NOT_THERE", raising=False)
    assert re.sub(r"@if\d+", "@if5", inside(br0, line, *flags)) == expected


def test_privileged_has_every_capability(br0: Host) -> None:
    """All that we ourselves hold, which is more than Docker's; and /proc/sys may be written."""
    own = br0.shell("grep CapEff /proc/self/status")
    assert inside(br0, "grep CapEff /proc/self/status", "--privileged") == own
    assert int(own.split()[1], 16) > DOCKER_CAPABILITIES
    assert inside(br0, "echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward",
                  "--privileged") == "1\n"


def test_the_reaper_hides_the_caller_s_environment(br0: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """--init's PID 1 is a part of minidock: what the caller's environment holds is no business of the container's."""
    monkeypatch.setenv("SECRET", "of the caller")
    line = "cat /proc/1/environ /proc/self/environ | tr '\\0' '\\n' | grep -e SECRET -e MINE"
    hidden = br0.minidock("run", "--rm", "--net", "br0", "--init", "-e", "MINE=1", "sh", "-c", line, check=False)
    assert hidden.stdout == "MINE=1\n" and "Permission denied" in hidden.stderr


def test_an_env_file_and_what_comes_after_it(br0: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments and blank lines are left out, a bare name takes our value, -e wins."""
    monkeypatch.setenv("FROM_CALLER", "yes")
    file = br0.directory / "env"
    file.write_text("# comment\n\nA=from file\nB=stays\nFROM_CALLER\n")
    line = 'echo "$A|$B|$FROM_CALLER"'
    assert inside(br0, line, "--env-file", str(file), "-e", "A=from flag") == "from flag|stays|yes\n"


def test_volumes(br0: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory and a file; read-only ones refuse; a relative source begins where we stand."""
    shared = br0.directory / "shared"
    shared.mkdir()
    (shared / "file").write_text("hello\n")
    monkeypatch.chdir(br0.directory)
    assert inside(br0, "cat /mnt/file; echo more > /mnt/new", "-v", f"{shared}:/mnt") == "hello\n"
    assert (shared / "new").read_text() == "more\n"
    assert inside(br0, "cat /mnt/file", "-v", "./shared:/mnt:ro") == "hello\n"
    refused = br0.minidock("run", "--rm", "--net", "br0", "-v", f"{shared}:/mnt:ro", "touch", "/mnt/x", check=False)
    assert refused.returncode == 1 and "Read-only file system" in refused.stderr
    assert inside(br0, "cat /etc/hostname", "-v", f"{shared}/file:/etc/hostname:ro") == "hello\n"


def test_a_root_directory_of_its_own(br0: Host) -> None:
    """--rootfs: what is there is all there is; our files lie in its /etc."""
    root = br0.directory / "rootfs"
    for name in ("usr", "lib", "lib64", "bin", "etc", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True)
    mounts = [f"{source}:{source}:ro" for source in ("/usr", "/lib", "/lib64", "/bin") if os.path.isdir(source)]
    flags = [word for mount in mounts for word in ("-v", mount)]
    told = inside(br0, "ls / | tr '\\n' ' '; ls /etc | tr '\\n' ' '; pwd", "--rootfs", str(root), "-w", "/new", *flags)
    assert told == "bin dev etc lib lib64 new proc sys usr hostname hosts resolv.conf /new\n"
    assert (root / "new").is_dir()


@pytest.mark.parametrize(("words", "code"), [
    (["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$; sleep 1"], 0),
    (["--init", "sh", "-c", "kill -9 $$"], 137), (["--init", "sh", "-c", "kill -TERM $$"], 143),
    (["nosuch"], 127), (["/etc"], 126), (["--nosuch"], 125),
])
def test_exit_codes_of_run(br0: Host, words: list[str], code: int) -> None:
    """The command's own, 128 + n after signal n, 127 not found, 126 not executable, 125 ours.

    PID 1 cannot kill itself: the kernel protects it from signals of its own namespace (man 7 pid_namespaces).
    """
    assert br0.minidock("run", "--rm", "--net", "br0", *words, check=False).returncode == code


def test_standard_input(br0: Host) -> None:
    """With -i ours is passed on to its end."""
    done = br0.minidock("run", "--rm", "-i", "--net", "br0", "wc", "-c", input="four")
    assert done.stdout == "4\n"


def test_standard_error_stays_apart(br0: Host) -> None:
    """Two streams in, two streams out, one log."""
    done = br0.minidock("run", "--name", "talk", "--net", "br0", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert sorted(br0.minidock("logs", "talk").stdout.split()) == ["err", "out"]


def test_networks_by_other_names(br0: Host) -> None:
    """--net and --network are one; an id or its prefix does; `default` is bridge."""
    whole = json.loads(br0.minidock("net", "inspect", "br0").stdout)[0]["Id"]
    for reference in ("br0", whole, whole[:12]):
        told = br0.minidock("run", "--rm", "--network", reference, "ip", "-4", "-br", "addr", "show", "eth0").stdout
        assert "172.28.0.2/16" in told
    for words in (["--net", "default"], ["--net", "bridge"], []):
        told = br0.minidock("run", "--rm", *words, "ip", "-4", "-br", "addr", "show", "eth0").stdout
        assert "172.17.0.2/16" in told


def test_the_host_network(br0: Host) -> None:
    """The host's own devices, host name and hosts file; no sandbox is made."""
    line = "ip -o link | wc -l; hostname; stat -Lc %i /proc/self/ns/net"
    told = br0.minidock("run", "--rm", "--net", "host", "sh", "-c", line).stdout.split()
    assert told[0] == br0.shell("ip -o link | wc -l").strip()
    assert told[1:] == [os.uname().nodename, str(os.stat("/proc/self/ns/net").st_ino)]
    assert br0.minidock("run", "--rm", "--net", "host", "cat", "/etc/hosts").stdout == Path("/etc/hosts").read_text()


def test_no_network(br0: Host) -> None:
    """Only the loopback, which is up; no route, and no own line in hosts."""
    line = "ls /sys/class/net; ip -4 route; ping -c1 -W1 127.0.0.1 > /dev/null && echo loops; grep -c 172 /etc/hosts"
    done = br0.minidock("run", "--rm", "--net", "none", "sh", "-c", line, check=False)
    assert done.stdout == "lo\nloops\n0\n"


def test_the_resolver_file_of_the_default_bridge(br0: Host) -> None:
    """The host's file without servers a container cannot reach; with none left Docker's default ones."""
    own = br0.directory / "resolv.conf"
    own.write_text("# mine\nnameserver 127.0.0.1\nnameserver 192.0.2.53\nnameserver ::1\nsearch example.org\n"
                   "options rotate\n")
    syscalls.mount(str(own), os.path.realpath("/etc/resolv.conf"), None, syscalls.MS_BIND)
    try:
        told = br0.minidock("run", "--rm", "cat", "/etc/resolv.conf").stdout
        assert kept(told) == ["nameserver 192.0.2.53", "search example.org", "options rotate"]
        own.write_text("nameserver 127.0.0.1\n")
        told = br0.minidock("run", "--rm", "cat", "/etc/resolv.conf").stdout
        assert kept(told) == ["nameserver 8.8.8.8", "nameserver 8.8.4.4"] and "# Used default nameservers." in told
    finally:
        syscalls.umount(os.path.realpath("/etc/resolv.conf"), syscalls.MNT_DETACH)


def kept(text: str) -> list[str]:
    """The lines that are no comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_exec_s_flags(br0: Host) -> None:
    """It joins the container's namespaces, environment and user, and its own flags come on top."""
    br0.minidock("run", "-d", "--name", "web", "--net", "br0", "-e", "A=1", "-e", "B=2", "-u", "1000", "-w", "/usr",
                 "sleep", "100")
    assert br0.minidock("exec", "web", "sh", "-c", "hostname; echo $A$B; id -u; pwd").stdout.split()[1:] == \
        ["12", "1000", "/usr"]
    file = br0.directory / "env"
    file.write_text("B=3\n")
    told = br0.minidock("exec", "-e", "A=x", "--env-file", str(file), "-u", "7", "-w", "/etc", "web", "sh", "-c",
                        "echo $A$B; id -u; pwd").stdout
    assert told.split() == ["x3", "7", "/etc"]
    assert br0.minidock("exec", "-i", "web", "cat", input="words").stdout == "words"
    told = br0.minidock("exec", "-u", "0", "--privileged", "web", "grep", "CapEff", "/proc/self/status").stdout
    assert int(told.split()[1], 16) > DOCKER_CAPABILITIES
    assert br0.minidock("exec", "web", "cat", "/proc/1/comm").stdout == "sleep\n"
    for words, code in ((["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["nosuch"], 127),
                        (["/etc"], 126)):
        assert br0.minidock("exec", "web", *words, check=False).returncode == code


def test_exec_in_the_background(br0: Host) -> None:
    """-d returns at once and prints nothing; the process lives in the container."""
    br0.minidock("run", "-d", "--name", "web", "--net", "br0", "sleep", "100")
    assert br0.minidock("exec", "-d", "web", "sleep", "77").stdout == ""
    assert "77" in br0.minidock("exec", "web", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout


def test_create_makes_nothing_but_a_row(br0: Host) -> None:
    """The id is printed; kernel as before; start runs it with what was configured."""
    before = br0.picture()
    created = br0.minidock("create", "--name", "later", "--net", "br0", "--ip", "172.28.0.77", "ip", "addr").stdout
    assert HEX64.fullmatch(created)
    assert br0.picture() == before
    assert br0.minidock("start", "-a", "later").stdout.count("172.28.0.77/16") == 1
    assert br0.settled(before) == before
