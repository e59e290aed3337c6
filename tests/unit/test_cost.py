"""A handshake does no more than it did: counted in instructions, for times are those of a machine."""

import sys

import pytest

from ikeref import wire
from tests.benchmarks import counting

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] not in counting.OPCODES, reason="instructions are counted for other versions of Python"
)


def test_a_handshake_takes_no_more_instructions_than_are_written_down() -> None:
    assert not counting.judge(counting.handshake())


def test_the_same_handshake_takes_the_same_instructions() -> None:
    assert counting.handshake() == counting.handshake()


def test_decoding_every_datagram_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = wire.decode

    def twice(datagram: bytes) -> wire.Message:
        decode(datagram)
        return decode(datagram)

    monkeypatch.setattr(wire, "decode", twice)
    assert "more than the" in counting.judge(counting.handshake())
