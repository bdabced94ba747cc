"""Kernel modules: nearly all load themselves at their first use over netlink; br_netfilter does not."""

from __future__ import annotations

import os


def load(name: str) -> bool:
    """Ask modprobe for a module; False if it cannot be had (no right, no file, no modprobe)."""
    try:
        pid = os.posix_spawnp("modprobe", ("modprobe", "-q", name), os.environ)
    except OSError:
        return False
    return os.waitpid(pid, 0)[1] == 0
