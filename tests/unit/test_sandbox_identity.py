"""`--user`, looked up as runc does; sysctl keys and programs, found where they may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from minidock.errors import CannotRun
from minidock.sandbox.identity import Identity, find
from minidock.sandbox.program import find as find_program
from minidock.sandbox.sysctls import file_of

PASSWD = """root:x:0:0:root:/root:/bin/sh
broken line
half:x:notanumber:1::/:
alice:x:1000:1001:Alice:/home/alice:/bin/sh
nohome:x:1002:1002:::/bin/sh
77:x:88:89::/odd:/bin/sh
"""
GROUP = "root:x:0:root\nwheel:x:10:root,alice\nstaff:x:50:alice\nusers:x:1001:\nbroken\n"


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", Identity(0, 0, (0, 10), "/root")),
        ("root", Identity(0, 0, (0, 10), "/root")),
        ("alice", Identity(1000, 1001, (10, 50), "/home/alice")),
        ("1000", Identity(1000, 1001, (10, 50), "/home/alice")),
        ("nohome", Identity(1002, 1002, (), "/")),
        ("alice:staff", Identity(1000, 50, (), "/home/alice")),
        ("alice:4000", Identity(1000, 4000, (), "/home/alice")),
        ("5000", Identity(5000, 0, (), "/")),
        ("5000:10", Identity(5000, 10, (), "/")),
        ("77", Identity(88, 89, (), "/odd")),  # a name made of digits wins, as its line comes first
        (":wheel", Identity(0, 10, (), "/root")),
    ],
)
def test_a_user_is_found(user: str, identity: Identity) -> None:
    assert find(user, PASSWD, GROUP) == identity


def test_root_needs_no_files() -> None:
    assert find("", "", "") == Identity(0, 0, (), "/")


@pytest.mark.parametrize(
    ("user", "what"),
    [
        ("bob", "unable to find user bob: no matching entries in passwd file"),
        ("half", "unable to find user half: no matching entries in passwd file"),
        ("alice:club", "unable to find group club: no matching entries in group file"),
        ("4294967295", "uids and gids must be in range 0-2147483647"),
        ("alice:2147483648", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_a_user_is_not_found(user: str, what: str) -> None:
    with pytest.raises(CannotRun) as caught:
        find(user, PASSWD, GROUP)
    assert (caught.value.what, caught.value.exit_code) == (what, 125)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("kernel.shm_rmid_forced", "kernel/shm_rmid_forced"),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
    ],
)
def test_a_sysctl_of_the_container(key: str, path: str) -> None:
    assert file_of(key, own_network=True) == f"/proc/sys/{path}"


@pytest.mark.parametrize("key", ["vm.swappiness", "kernel.hostname", "", "net/../vm/swappiness", "net.//./vm.x"])
def test_a_sysctl_of_the_host_is_refused(key: str) -> None:
    with pytest.raises(CannotRun, match="is not in a separate kernel namespace"):
        file_of(key, own_network=True)


def test_the_hosts_network_keeps_its_sysctls() -> None:
    with pytest.raises(CannotRun, match="not allowed in host network namespace"):
        file_of("net.ipv4.ip_forward", own_network=False)


def test_the_first_executable_along_the_path_is_the_program(tmp_path: Path) -> None:
    for place, mode in (("a", 0o644), ("b", 0o755), ("c", 0o755)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "tool").touch(mode)
    (tmp_path / "a" / "dir").mkdir()
    path = ":".join(str(tmp_path / place) for place in ("missing", "a", "b", "c"))
    assert find_program("tool", path) == f"{tmp_path}/b/tool"
    for name in ("dir", "nothing"):
        with pytest.raises(CannotRun) as caught:
            find_program(name, path)
        assert caught.value.exit_code == 127
