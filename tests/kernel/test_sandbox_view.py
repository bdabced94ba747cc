"""What a container sees: processes, devices, kernel views, files, its user and its capabilities."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.sandbox_stage import ROOTLESS, STAGE, run, sh

DOCKER_CAPS = "00000000a80425fb"
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NONE = "0" * 16


def capabilities(**fields: Any) -> dict[str, str]:
    """The five sets in /proc/self/status inside."""
    text = run("cat", "/proc/self/status", **fields).stdout
    return {name: re.search(rf"{name}:\s+(\w+)", text)[1] for name in SETS}  # type: ignore[index]


def test_the_capability_sets_are_dockers() -> None:
    assert capabilities() == dict(zip(SETS, (NONE, DOCKER_CAPS, DOCKER_CAPS, DOCKER_CAPS, NONE), strict=True))


@pytest.mark.real_root
def test_a_plain_user_has_no_capability_but_the_same_bounds() -> None:
    assert capabilities(user="daemon") == dict(zip(SETS, (NONE, NONE, NONE, DOCKER_CAPS, NONE), strict=True))


def test_capabilities_are_added_dropped_and_all_given_to_the_privileged() -> None:
    assert capabilities(cap_add=["NET_ADMIN"])["CapEff"] == "00000000a80435fb"
    assert capabilities(cap_drop=["cap_chown"])["CapBnd"] == "00000000a80425fa"
    assert capabilities(cap_drop=["ALL"], cap_add=["net_raw"])["CapEff"] == "0000000000002000"
    ours = re.search(r"CapBnd:\s+(\w+)", Path("/proc/self/status").read_text())
    assert ours and capabilities(privileged=True)["CapEff"] == ours[1]


def test_proc_shows_only_the_containers_processes() -> None:
    assert sh("cat /proc/1/comm; ls /proc | grep -c '^[0-9]'").stdout.split() == ["sh", "3"]  # sh, ls, grep


def test_every_namespace_but_cgroup_and_user_is_its_own() -> None:
    links = " ".join(f"/proc/self/ns/{kind}" for kind in ("pid", "mnt", "uts", "ipc", "user", "cgroup"))
    inside, ours = sh(f"readlink {links}").stdout.split(), [os.readlink(path) for path in links.split()]
    assert [a == b for a, b in zip(inside, ours, strict=True)] == [False] * 4 + [True] * 2


def test_sys_shows_the_network_namespace_it_was_given(tmp_path: Path) -> None:
    script = (
        "mount -t tmpfs none /run && mkdir -p /run/netns && ip netns add md-x && "
        "ip -n md-x link add inside type bridge && ip link add outside type bridge && exec \"$@\""
    )
    stage = (*STAGE, "sh", "-c", script, "sh")
    seen = sh("ls /sys/class/net; touch /sys/x", stage=stage, netns="/run/netns/md-x")
    assert seen.stdout.split() == ["inside", "lo"]
    assert "Read-only file system" in seen.stderr
    assert sh("ls /sys/class/net", stage=stage).stdout.split() == ["lo", "outside"]


def test_the_host_name_is_given_or_the_hosts() -> None:
    assert run("hostname", hostname="c1").stdout == "c1\n"
    assert run("hostname", hostname="").stdout == os.uname().nodename + "\n"


def test_dev_holds_dockers_nodes_and_links() -> None:
    seen = sh("cd /dev; for f in *; do echo $f $(stat -c '%t:%T %a %F' $f | tr ' ' _) $(readlink $f); done")
    rows = dict(line.split(" ", 1) for line in seen.stdout.splitlines())
    numbers = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    nodes = {name: f"{number}_666_character_special_file" for name, number in numbers.items()}
    targets = {"fd": "/proc/self/fd", "core": "/proc/kcore", "ptmx": "pts/ptmx"}
    targets |= {f"std{name}": f"/proc/self/fd/{n}" for n, name in enumerate(("in", "out", "err"))}
    links = {name: f"0:0_777_symbolic_link {target}" for name, target in targets.items()}
    modes = {"pts": 755, "shm": 1777, "mqueue": 1777}
    assert rows == nodes | links | {name: f"0:0_{mode}_directory" for name, mode in modes.items()}
    assert sh("df -k /dev/shm | tail -1").stdout.split()[1] == "65536"


@pytest.mark.real_root
def test_kernel_files_are_read_only_or_masked_unless_privileged() -> None:
    look = "test -w /proc/sys/kernel/core_pattern; echo $?; wc -c < /proc/keys; ls /sys/firmware | wc -l"
    assert sh(look).stdout.split() == ["1", "0", "0"]
    writable, keys, firmware = sh(look, privileged=True).stdout.split()
    assert writable == "0" and int(keys) > 0 and int(firmware) > 0


def test_a_privileged_sys_is_writable_and_stays_so_for_a_second_look() -> None:
    assert " ro," not in sh("grep ' /sys sysfs' /proc/self/mounts | tail -1", privileged=True).stdout


def test_sysctls_of_the_namespace_are_set() -> None:
    script = "mount -t tmpfs none /run; mkdir /run/netns; ip netns add n; exec \"$@\""
    stage = (*STAGE, "sh", "-c", script, "sh")
    pairs = [["net.ipv4.ip_unprivileged_port_start", "0"], ["kernel.msgmax", "9000"]]
    script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax"
    before = Path("/proc/sys/kernel/msgmax").read_text()
    seen = sh(script, stage=stage, netns="/run/netns/n", sysctls=pairs)
    assert seen.stdout.split() == ["0", "9000"], seen.stderr
    assert Path("/proc/sys/kernel/msgmax").read_text() == before != "9000\n"


def test_given_files_cover_those_in_etc_and_only_inside(tmp_path: Path) -> None:
    for name in ("hosts", "hostname", "resolv.conf"):
        (tmp_path / name).write_text(f"given {name}\n")
    before = Path("/etc/hosts").read_bytes()
    seen = sh("cat /etc/hosts; test -e /etc/resolv.conf && cat /etc/resolv.conf", etc_dir=tmp_path)
    assert seen.stdout.splitlines()[0] == "given hosts"
    assert Path("/etc/hosts").read_bytes() == before


def test_binds_show_a_source_inner_after_outer_and_read_only_when_asked(tmp_path: Path) -> None:
    for name in ("outer/inner", "source", "point"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "source/file").write_text("x")
    inner = [tmp_path / "source", tmp_path / "point/inner", True]
    outer = [tmp_path / "outer", tmp_path / "point"]
    seen = sh(f"cd {tmp_path}/point; cat inner/file; touch file; touch inner/no", binds=[inner, outer])
    assert seen.stdout == "x" and seen.stderr.count("Read-only file system") == 1
    assert (tmp_path / "outer/file").exists() and not (tmp_path / "source/no").exists()


def test_a_device_may_be_bound_into_dev() -> None:
    assert sh("stat -c %t:%T /dev/x/y", binds=[["/dev/zero", "/dev/x/y"]]).stdout == "1:5\n"


@pytest.mark.real_root
def test_the_user_is_looked_up_and_given_groups_home_and_the_pipes() -> None:
    script = "id -u; id -g; id -G; echo $HOME; echo works > /dev/stdout"
    assert sh(script, user="daemon").stdout.split() == ["1", "1", "1", "/usr/sbin", "works"]
    assert sh(script, user="12345").stdout.split() == ["12345", "0", "0", "/", "works"]
    assert sh(script, user="daemon:sys").stdout.split() == ["1", "3", "3", "/usr/sbin", "works"]
    env = [["PATH", "/usr/bin:/bin"], ["HOME", "/mine"]]
    assert sh("echo $HOME; umask; pwd", env=env, cwd="/usr").stdout.split() == ["/mine", "0022", "/usr"]


def test_no_mount_leaks_out() -> None:
    """Even of a shared mount tree, as systemd makes it; the marker proves that the comparison sees mounts."""
    look = "cat /proc/self/mountinfo > $0.before; \"$@\"; cat /proc/self/mountinfo > $0.after"
    script = "mount --make-rshared /; mount -t tmpfs marker /mnt; " + look
    name = f"/tmp/minidock-mounts-{os.getpid()}"
    try:
        assert sh("mount | wc -l", stage=(*STAGE, "sh", "-c", script, name)).returncode == 0
        before, after = Path(f"{name}.before").read_text(), Path(f"{name}.after").read_text()
    finally:
        for end in ("before", "after"):
            Path(f"{name}.{end}").unlink(missing_ok=True)
    assert "marker" in before and after == before


@pytest.mark.parametrize("netns_first", [True, False])
def test_no_named_namespace_is_held_inside(netns_first: bool) -> None:
    """Else it would live as long as the container; `ip netns` mounts each name twice where /run is shared."""
    share = "mount -t tmpfs none /run; mount --make-shared /run; mkdir /run/netns; "
    if not netns_first:
        share += "mount --bind /run/netns /run/netns; mount --make-private /run/netns; "
    script = share + "ip netns add other; grep -c netns/other /proc/self/mountinfo > /run/outside; exec \"$@\""
    look = "cat /run/outside; grep -c netns/ /proc/self/mountinfo; ls /run/netns; ip -o link | grep -c lo:"
    done = sh(look, stage=(*STAGE, "sh", "-c", script, "sh"))
    assert (done.stdout.split(), done.stderr) == (["2" if netns_first else "1", "0", "1"], "")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A tiny tree: sh, ls and cat with their libraries, and a passwd of its own."""
    root = tmp_path / "rootfs"
    for program in ("sh", "ls", "cat", "mkdir"):
        path = shutil.which(program)
        assert path
        needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for file in {path, *re.findall(r"(/\S+) \(", needed)}:
            (root / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file.lstrip("/"))
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nguest:x:77:78::/home/guest:/bin/sh\n")
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    return root


@pytest.mark.parametrize("stage", [STAGE, ROOTLESS], ids=["root", "rootless"])
def test_a_root_file_system_of_its_own(rootfs: Path, tmp_path: Path, stage: tuple[str, ...]) -> None:
    (tmp_path / "resolv.conf").write_text("given\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("bound\n")
    script = "ls /; cat /etc/resolv.conf /data/deep/file; cat /proc/1/comm; cd /; cd ..; ls -d etc; pwd"
    binds = [[tmp_path / "source", "/data/deep"]]
    fields = {"rootfs": rootfs, "etc_dir": tmp_path, "binds": binds, "stage": stage}
    seen = run(shutil.which("sh"), "-c", script, **fields)
    assert seen.stdout.split("given\n")[1].splitlines() == ["bound", "sh", "etc", "/"], seen.stderr
    tops = set(seen.stdout.split("given\n")[0].split())
    assert {"dev", "proc", "sys", "etc", "data"} <= tops and "work" not in tops and "root" not in tops
    assert not os.path.exists("/run/resolv.conf") and not os.path.exists("/data/deep")
    made = run(shutil.which("sh"), "-c", "pwd", rootfs=rootfs, cwd="/made/here", stage=stage)
    assert made.stdout == "/made/here\n"


@pytest.mark.real_root
def test_a_user_of_the_root_file_system_that_the_host_lacks(rootfs: Path) -> None:
    script = "cat /proc/self/status; echo home $HOME"
    seen = run(shutil.which("sh"), "-c", script, rootfs=rootfs, user="guest")
    assert re.search(r"Uid:\s+77\s", seen.stdout) and "home /home/guest" in seen.stdout, seen.stderr


def test_everything_works_in_a_user_namespace_but_another_user(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("given\n")
    script = "id -u; cat /etc/hosts; ls /proc | grep -c '^[0-9]'; echo x > /dev/null; touch /sys/x"
    seen = sh(script, stage=ROOTLESS, etc_dir=tmp_path)
    assert seen.stdout.split() == ["0", "given", "3"] and "Read-only file system" in seen.stderr
    assert capabilities(stage=ROOTLESS)["CapEff"] == DOCKER_CAPS
    refused = sh("true", stage=ROOTLESS, user="daemon")
    assert refused.returncode == 125
    assert refused.stderr.startswith("user 1:1 does not exist in this user namespace\n")


def test_a_user_namespace_that_may_not_mount_proc_keeps_the_hosts_and_says_so() -> None:
    covered = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc/acpi; exec "$@"', "sh")
    seen = sh("ls /proc | grep -c '^[0-9]'", stage=(*covered, *ROOTLESS))
    assert int(seen.stdout) > 4
    assert "/proc is the host's: this user namespace may not mount its own" in seen.stderr
