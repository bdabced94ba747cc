"""What scripts/wheelhouse made installs without a network, by the pip of the place or by the one it brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fresh import CHECKOUT, HOME
from tests.ground import Host

WHEELS = HOME / "wheelhouse/wheels"


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **environment})


@pytest.mark.unpacked("wheelhouse")
def test_it_installs_without_a_network(host: Host) -> None:
    """Every wheel is for any machine; a Python without pip gets minidock and scapy."""
    names = [wheel.name for wheel in WHEELS.iterdir()]
    assert names and all(name.endswith("-none-any.whl") for name in names), names
    venv = str(host.directory / "venv")
    assert _run(sys.executable, "-m", "venv", "--without-pip", venv).returncode == 0
    pip = (f"{venv}/bin/python", "-m", "pip", "install", "--no-index", "--no-compile",
           "--find-links", str(WHEELS), "minidock[wire]")
    installed = _run(*pip, PYTHONPATH=str(next(WHEELS.glob("pip-*.whl"))), PIP_CONFIG_FILE="/dev/null")
    assert installed.returncode == 0, installed.stderr
    assert _run(f"{venv}/bin/minidock", "--version").returncode == 0
    assert _run(f"{venv}/bin/python", "-c", "import scapy.layers.inet").returncode == 0


def test_what_is_no_wheelhouse_is_left_alone(tmp_path: Path) -> None:
    """A directory with other things in it is not replaced."""
    (tmp_path / "thesis.txt").write_text("mine")
    refused = _run(f"{CHECKOUT}/scripts/wheelhouse", str(tmp_path))
    assert (refused.returncode, refused.stderr) == (
        1, f"wheelhouse: {tmp_path} holds other things than wheels of minidock; name another directory\n")
    assert (tmp_path / "thesis.txt").read_text() == "mine"
