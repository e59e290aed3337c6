"""The Nonce payload (Section 3.9)."""

from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.wire.header import new

MIN_NONCE: Final = 16
MAX_NONCE: Final = 256
"""Octets of a nonce, both limits included (Section 3.9)."""


class Nonce(NamedTuple):
    """Ni or Nr: fresh random octets (Section 3.9).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    ~                          Nonce Data                           ~
    +---------------------------------------------------------------+
    """

    data: bytes
    flags: int = 0


def decode_nonce(octets: bytes, start: int, stop: int, flags: int) -> Nonce:
    """Nonce from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.9."""
    if not MIN_NONCE <= stop - start <= MAX_NONCE:
        raise InvalidSyntax(
            f"a nonce has {MIN_NONCE} to {MAX_NONCE} octets, not {stop - start}",
            section="3.9",
            offset=start - 2,
            field="NONCE.Payload Length",
        )
    return new(Nonce, (octets[start:stop], flags))


def encode_nonce(payload: Nonce) -> bytes:
    """The body of a Nonce payload. Section 3.9."""
    return payload.data
