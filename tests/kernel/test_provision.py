"""scripts/provision on a fresh machine without a network: packages lie in apt's cache, wheels in the wheelhouse."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from minidock.kernel import syscalls
from tests.fresh import Fresh
from tests.ground import Host, until

pytestmark = [pytest.mark.unpacked("fresh", "wheelhouse"), pytest.mark.real_root]
PROVISION = ("/vagrant/scripts/provision", "/vagrant")
ASKED = "a container in a playground asked web.example: hello from the internet: you are 198.51.100.2:"


@pytest.fixture
def fresh(host: Host, tmp_path: Path) -> Iterator[Fresh]:
    """The machine, whose mounts go with the test."""
    home, directory = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), os.getcwd()
    syscalls.unshare(syscalls.CLONE_NEWNS)
    try:
        yield Fresh(tmp_path)
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWNS)
        os.close(home)
        os.chdir(directory)


def test_a_machine_is_provisioned_however_often_it_is_cut(fresh: Fresh) -> None:
    """Killed while Python's packages go in; then run to the end; then again."""
    cut = fresh.start(*PROVISION)
    library = fresh.tree / "opt/minidock/lib"
    until(lambda: cut.poll() is not None or list(library.glob("*/site-packages/scapy")), bool, 120)
    cut.kill()
    out, err = cut.communicate()
    assert cut.returncode == -SIGKILL and "apt installs python3 iproute2 " in out, err

    for _ in range(2):
        done = fresh.run(*PROVISION)
        assert done.returncode == 0 and ASKED in done.stdout, f"{done.stdout}{done.stderr}"
        assert "apt installs" not in done.stdout and "the modules of Linux" in done.stdout
    _is_usable(fresh)
    _teaches(fresh)
    _tells_mistakes(fresh)


def _is_usable(fresh: Fresh) -> None:
    """What the README does first; TAB; scapy for the probes."""
    shell = "minidock playground -- env PYTHON=/usr/bin/python3 bash /vagrant/scripts/tour"
    tour = fresh.run("bash", "-c", shell)
    assert tour.returncode == 0 and tour.stdout.count("hello from a container") >= 1, f"{tour.stdout}{tour.stderr}"
    completed = fresh.run("bash", "-ic", ". /usr/share/bash-completion/bash_completion; __load_completion minidock; "
                          "COMP_WORDS=(minidock play) COMP_CWORD=1; _minidock_completion minidock; "
                          "echo ${COMPREPLY[@]}")
    assert completed.stdout == "playground\n", completed
    assert fresh.run("/opt/minidock/bin/python", "-c", "import scapy.all").returncode == 0


def _teaches(fresh: Fresh) -> None:
    """A lab is started, solved and proven; the reports of two accounts come together, root's first."""
    lines = ("minidock lab start 01", "minidock lab solve 01", "minidock lab check 01", "useradd -m ann",
             "runuser -l ann -c 'minidock lab start 02'", "/vagrant/scripts/class collect /root/reports root ann")
    taught = fresh.run("bash", "-c", " && ".join(lines))
    assert taught.returncode == 0 and taught.stdout.endswith("root: 1 labs\nann: 1 labs\n"), taught
    reports = [json.loads((fresh.tree / f"root/reports/{who}/report.json").read_text()) for who in ("root", "ann")]
    assert [report["labs"][0]["state"] for report in reports] == ["passed", "started"]
    frames = fresh.tree / "root/reports/root/lab-01/evidence/check-1.pcapng"
    assert hashlib.sha256(frames.read_bytes()).hexdigest() == reports[0]["labs"][0]["sha256"]


def _tells_mistakes(fresh: Fresh) -> None:
    """Not root; a checkout that is none; a wheel that is missing; what is installed goes on working."""
    user = fresh.run("setpriv", "--reuid=65534", "--clear-groups", *PROVISION)
    assert (user.returncode, user.stderr) == (1, "provision: needs root; type: sudo /vagrant/scripts/provision\n")
    none = fresh.run(PROVISION[0], "/etc")
    assert (none.returncode, none.stderr) == (1, "provision: /etc is no checkout of minidock\n")
    for wheel in (fresh.vagrant / "wheelhouse").glob("scapy*"):
        wheel.unlink()
    lacking = fresh.run(*PROVISION)
    assert lacking.returncode == 1 and lacking.stderr.endswith(
        "provision: the wheels in /vagrant/wheelhouse are not complete; scripts/wheelhouse makes them anew\n")
    assert fresh.run("minidock", "--version").returncode == 0
