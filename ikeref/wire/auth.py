"""The Authentication payload (Section 3.8)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.wire.header import new

_pack: Final = struct.Struct(">B3s").pack


class AUTH(NamedTuple):
    """Authentication: the proof of the identity in IDi or IDr (Section 3.8).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |  Auth Method  |                   RESERVED                    |
    +---------------+-----------------------------------------------+
    ~                      Authentication Data                      ~
    +---------------------------------------------------------------+
    """

    method: int
    data: bytes
    reserved: int = 0
    """Three octets."""
    flags: int = 0


def decode_auth(octets: bytes, start: int, stop: int, flags: int) -> AUTH:
    """AUTH from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.8."""
    if stop - start < 4:
        raise InvalidSyntax(
            f"AUTH has {stop - start} octets, fewer than its method and reserved fields",
            section="3.8",
            offset=start - 2,
            field="AUTH.Payload Length",
        )
    reserved = int.from_bytes(octets[start + 1 : start + 4], "big")
    return new(AUTH, (octets[start], octets[start + 4 : stop], reserved, flags))


def encode_auth(payload: AUTH) -> bytes:
    """The body of an AUTH payload. Section 3.8."""
    return _pack(payload.method, payload.reserved.to_bytes(3, "big")) + payload.data
