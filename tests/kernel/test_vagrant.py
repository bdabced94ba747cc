"""Vagrantfile, read by Debian's Vagrant and its libvirt plugin, which scripts/test has unpacked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fresh import CHECKOUT, HOME
from tests.ground import Host

pytestmark = pytest.mark.unpacked("vagrant")
_INSIDE = """
mkdir -p over; mount -t tmpfs tmpfs over; mkdir over/upper over/work
mount -t overlay overlay -o "lowerdir=$1/root/usr:/usr,upperdir=over/upper,workdir=over/work" /usr
export HOME=$PWD/over VAGRANT_DEFAULT_PROVIDER=libvirt
shift; exec "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path, host: Host) -> Path:
    """What Vagrant needs of it, on a host without a network."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(CHECKOUT / "Vagrantfile", tmp_path)
    shutil.copy(CHECKOUT / "scripts/provision", tmp_path / "scripts")
    return tmp_path


def _run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = ["unshare", "--mount", "bash", "-euc", _INSIDE, "vagrant", str(HOME / "vagrant"), *words]
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(line, cwd=checkout, capture_output=True, text=True, check=False, env=environment)


def _misspell(checkout: Path) -> None:
    file = checkout / "Vagrantfile"
    file.write_text(file.read_text().replace("cpus = ", "cpus_ = "))


def test_libvirt_takes_both_machines(checkout: Path) -> None:
    """As it stands; and a setting that libvirt does not know is refused."""
    valid = _run(checkout, "vagrant", "validate")
    assert (valid.returncode, valid.stdout) == (0, "Vagrantfile validated successfully.\n"), valid
    status = _run(checkout, "vagrant", "status").stdout
    assert re.findall(r"^(\w+) +not created \(libvirt\)$", status, re.MULTILINE) == ["minidock", "second"], status

    _misspell(checkout)
    wrong = _run(checkout, "vagrant", "validate")
    assert wrong.returncode == 1 and "cpus_" in wrong.stderr, wrong


def test_virtualbox_knows_every_setting(checkout: Path) -> None:
    """Memory, processors and the promiscuous wire; and a setting that it does not know is noticed."""
    script = str(CHECKOUT / "tests/vagrant.rb")
    settings = "--memory=2048 --cpus=2 --nicpromisc2=allow-all"
    assert _run(checkout, "ruby", script, ".").stdout == f"minidock {settings}\nsecond {settings}\n"

    _misspell(checkout)
    assert "cpus_" in _run(checkout, "ruby", script, ".").stdout
