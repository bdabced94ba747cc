"""Frames as a pcapng file, each tap an interface with its name (draft-ietf-opsawg-pcapng), for Wireshark."""

from __future__ import annotations

import struct

from minidock.probes.tap import Frame

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET = 1  # LINKTYPE_ETHERNET
_NAME, _RESOLUTION, _FLAGS = 2, 9, 2  # if_name, if_tsresol; epb_flags
_INBOUND, _OUTBOUND = 1, 2


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def written(frames: list[tuple[str, Frame]]) -> bytes:
    """The file's bytes: (name of the tap, frame), oldest first."""
    names = list(dict.fromkeys(name for name, _ in frames))
    out = [_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    out += [_block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0) + _option(_NAME, name.encode())
                   + _option(_RESOLUTION, b"\x09") + _option(0, b"")) for name in names]
    out += [_block(_PACKET, _packet(names.index(name), frame)) for name, frame in frames]
    return b"".join(out)


def _packet(interface: int, frame: Frame) -> bytes:
    high, low = divmod(frame.nanoseconds, 1 << 32)
    direction = _OUTBOUND if frame.outgoing else _INBOUND
    return (struct.pack("<IIIII", interface, high, low, len(frame.data), len(frame.data)) + _padded(frame.data)
            + _option(_FLAGS, struct.pack("<I", direction)) + _option(0, b""))
