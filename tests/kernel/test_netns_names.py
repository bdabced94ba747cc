"""Names of network namespaces while another process makes or deletes them."""

from __future__ import annotations

import os

import pytest

from minidock.kernel import netns
from tests.ground import Host


def test_a_name_without_its_mount_is_no_namespace(host: Host) -> None:
    """Between the file and its mount, and between unmount and unlink, others see a plain file: not there."""
    netns.create("whole")
    open(netns.path("half"), "x").close()
    outside = netns.cookie()
    with netns.inside("whole"):
        assert netns.cookie() != outside
    with pytest.raises(FileNotFoundError), netns.inside("half"):
        pass
    assert netns.cookie() == outside
    netns.delete("whole")
    os.unlink(netns.path("half"))
