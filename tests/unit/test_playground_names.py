"""The name server of the playground's internet: what it says to odd questions and to no questions at all."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.playground import names


def query(name: bytes, kind: int, flags: int = 0x0100) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


def test_a_known_name_without_that_type_is_no_error() -> None:
    reply = names.answer(query(names.wire_name("six.example"), names.A))
    assert reply and reply[3] & 15 == 0 and reply[6:8] == b"\0\0"
    control = names.answer(query(names.wire_name("six.example"), names.AAAA))
    assert control and control[6:8] == b"\0\1"


@pytest.mark.parametrize(("message", "code"), [
    (query(b"\xc0\x0c", 1), 1), (query(b"\x07short", 1)[:-4], 1), (query(b"\0", 1, flags=0x2800), 4),
    (query(b"\x01x\0", 1)[:-1] + b"\x03", 5)])
def test_odd_questions_get_their_code(message: bytes, code: int) -> None:
    reply = names.answer(message)
    assert reply and reply[3] & 15 == code


@given(st.binary(max_size=600))
def test_no_bytes_upset_the_name_server(message: bytes) -> None:
    reply = names.answer(message)
    assert reply is None or (reply[:2] == message[:2] and reply[2] & 0x80)
