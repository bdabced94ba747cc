"""`--sysctl`: kernel parameters of the container's own namespaces, and only of those.

Every other parameter belongs to the host; runc refuses it too (libcontainer/configs/validate).
"""

from __future__ import annotations

from minidock.errors import CannotRun

_OWN = {  # of the IPC and UTS namespaces
    *("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"),
    *("kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"),
    "kernel.domainname",
}


def apply(pairs: tuple[tuple[str, str], ...], own_network: bool) -> None:
    """Write the parameters through /proc/sys, which shows those of the writer's namespaces."""
    for key, value in pairs:
        path = file_of(key, own_network)
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(value)
        except OSError as error:
            hint = f"cat {path} inside the container shows the present value"
            raise CannotRun(f"sysctl {key}={value}: {(error.strerror or '').lower()}", hint) from error


def file_of(key: str, own_network: bool) -> str:
    """The file of a key; net/ipv4/conf/eth0.1/x is net.ipv4.conf.eth0/1.x (man 8 sysctl)."""
    first = next((letter for letter in key if letter in "./"), ".")
    dotted = key if first == "." else key.translate(_SWAP)
    if dotted.startswith("net.") and not own_network:
        raise CannotRun(f'sysctl "{key}" not allowed in host network namespace', "leave out --net host")
    path = dotted.translate(_SWAP)
    if ".." in path.split("/") or not (dotted in _OWN or dotted.startswith(("net.", "fs.mqueue."))):
        hint = "it would change the host: use sysctl -w there, if that is what you mean"
        raise CannotRun(f'sysctl "{key}" is not in a separate kernel namespace', hint)
    return f"/proc/sys/{path}"


_SWAP = str.maketrans("./", "/.")
