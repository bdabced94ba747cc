"""The null driver (network `none`): a sandbox with its loopback and nothing else. Nothing is made beside it."""

from minidock.drivers.host import OPTIONS, endpoint, network

__all__ = ["OPTIONS", "endpoint", "network"]
