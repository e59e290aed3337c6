"""What comes in on port 4500 (Section 2.23, RFC 3948 section 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref import wire
from ikeref.errors import Dropped


def test_s2_23_behind_the_marker_there_is_ike() -> None:
    assert wire.split(bytes.fromhex("00000000 0102")) == wire.Ike(b"\x01\x02")
    assert wire.wrap(b"\x01\x02") == bytes.fromhex("00000000 0102")


def test_s2_23_without_the_marker_it_is_esp() -> None:
    octets = bytes.fromhex("00000100 00000001 aabb")
    assert wire.split(octets) == wire.Esp(bytes.fromhex("00000100"), octets)


def test_s2_23_one_octet_of_ones_is_a_keepalive() -> None:
    assert isinstance(wire.split(b"\xff"), wire.Keepalive)
    assert not isinstance(wire.split(b"\xff\xff\xff\xff"), wire.Keepalive)


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\xfe", b"\xff\xff", bytes(3)])
def test_s2_23_what_is_too_short_is_dropped(octets: bytes) -> None:
    with pytest.raises(Dropped) as caught:
        wire.split(octets)
    assert (caught.value.section, caught.value.offset) == ("2.23", 0)


@given(st.binary(max_size=40))
def test_s2_23_what_is_wrapped_comes_back(octets: bytes) -> None:
    assert wire.split(wire.wrap(octets)) == wire.Ike(octets)
