"""The arithmetic of --cap-add, --cap-drop and --privileged, as moby's TweakCapabilities does it."""

from __future__ import annotations

import pytest

from minidock.errors import CannotRun
from minidock.sandbox.capabilities import DOCKER_DEFAULT, EVERY, NAMES, wanted


def bit(name: str) -> int:
    return 1 << NAMES.index(name)


def test_the_names_stand_in_the_kernels_order() -> None:
    numbers = {"CHOWN": 0, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_ADMIN": 21, "MKNOD": 27, "SYSLOG": 34}
    assert {name: NAMES.index(name) for name in numbers} == numbers
    assert len(NAMES) == 41 and NAMES[40] == "CHECKPOINT_RESTORE"


def test_dockers_default_is_its_fourteen_names() -> None:
    names = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP"
    names += " NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    assert sum(bit(name) for name in names.split()) == DOCKER_DEFAULT


@pytest.mark.parametrize(
    ("add", "drop", "mask"),
    [
        ((), (), DOCKER_DEFAULT),
        (("NET_ADMIN",), (), DOCKER_DEFAULT | bit("NET_ADMIN")),
        (("cap_net_admin", "NET_RAW"), (), DOCKER_DEFAULT | bit("NET_ADMIN")),
        ((), ("Net_Raw",), DOCKER_DEFAULT & ~bit("NET_RAW")),
        ((), ("all",), 0),
        (("NET_RAW",), ("ALL",), bit("NET_RAW")),
        (("NET_RAW",), ("NET_RAW",), DOCKER_DEFAULT),  # added after the drop, as Docker does
        (("ALL",), (), EVERY),
        (("CAP_ALL",), ("SYS_ADMIN",), EVERY & ~bit("SYS_ADMIN")),
    ],
)
def test_added_and_dropped(add: tuple[str, ...], drop: tuple[str, ...], mask: int) -> None:
    assert wanted(add, drop) == mask


def test_the_privileged_have_all() -> None:
    assert wanted((), ("NET_RAW",), privileged=True) == EVERY


@pytest.mark.parametrize(("option", "add", "drop"), [("CapAdd", ("FLY",), ()), ("CapDrop", (), ("cap_fly",))])
def test_an_unknown_name_is_refused(option: str, add: tuple[str, ...], drop: tuple[str, ...]) -> None:
    with pytest.raises(CannotRun) as caught:
        wanted(add, drop)
    assert caught.value.what == f'invalid {option}: unknown capability: "CAP_FLY"'
    assert caught.value.exit_code == 125
