"""/proc/sys: reading and writing sysctls, also those of another network namespace."""

from __future__ import annotations

import os

from minidock.kernel import netns as namespaces


def _path(key: str) -> str:
    """`net.ipv4.conf.br0.forwarding` as a path; a '/' in the key stands for a dot in a device's name."""
    return "/proc/sys/" + key.replace(".", "\0").replace("/", ".").replace("\0", "/")


def read(key: str, netns: str = "") -> str:
    """The value, blanks folded; FileNotFoundError where the kernel has no such key."""
    with namespaces.inside(netns), open(_path(key)) as file:
        return " ".join(file.read().split())


def known(key: str) -> bool:
    """Has this kernel that key?"""
    return os.path.exists(_path(key))


def write(key: str, value: str, netns: str = "") -> None:
    """Set the value."""
    with namespaces.inside(netns):
        file = os.open(_path(key), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, value.encode())
        finally:
            os.close(file)
