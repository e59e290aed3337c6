"""The data plane that keeps records, and the clocks."""

import pytest

from ikeref.crypto import ChildKeys, ChildSuite
from ikeref.net.clock import ManualClock, monotonic
from ikeref.net.dataplane import Direction, RecordingDataPlane
from ikeref.sa.outputs import Install, Remove
from ikeref.sa.values import ChildSa, Path

PATH = Path(("10.0.0.1", 500), ("10.0.0.2", 500))


def child(spi_in: bytes = b"\0\0\1\1", spi_out: bytes = b"\0\0\2\2") -> ChildSa:
    keys = ChildKeys(b"e" * 36, b"", b"E" * 36, b"")
    return ChildSa("net", spi_in, spi_out, ChildSuite(3, 20, 256, 0, 0, 0), (), (), True, keys)


def test_each_direction_opens_and_closes_by_itself() -> None:
    plane = RecordingDataPlane()
    plane.install(Install(True, child(), PATH))
    assert plane.pairs() == ()
    plane.install(Install(False, child(), PATH))
    assert plane.pairs() == ((b"\0\0\1\1", b"\0\0\2\2"),)
    plane.remove(Remove(False, child()))
    assert plane.pairs() == ()
    assert list(plane.open) == [Direction(True, 3, b"\0\0\1\1")]
    plane.remove(Remove(True, child()))
    assert plane.open == {}
    assert [what for what, _ in plane.history] == ["install", "install", "remove", "remove"]
    assert plane.faults == []


def test_what_can_not_be_is_a_fault() -> None:
    plane = RecordingDataPlane()
    plane.install(Install(True, child(), PATH))
    plane.install(Install(True, child(), PATH))
    plane.remove(Remove(False, child()))
    assert plane.faults == [
        "inbound SPI 00000101 is installed twice",
        "outbound SPI 00000202 is removed and was not installed",
    ]


def test_the_same_spi_in_both_directions_is_two_directions() -> None:
    plane = RecordingDataPlane()
    for inbound in (True, False):
        plane.install(Install(inbound, child(b"same", b"same"), PATH))
    assert plane.faults == []
    assert plane.pairs() == ((b"same", b"same"),)


def test_a_manual_clock_stands_still_until_told() -> None:
    clock = ManualClock(5.0)
    assert clock() == clock() == 5.0
    assert clock.advance(1.5) == clock() == 6.5
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    assert monotonic() <= monotonic()
