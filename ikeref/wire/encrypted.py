"""The Encrypted payload and the Encrypted Fragment payload, still closed (Section 3.14, RFC 7383 section 2.5)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import Dropped, InvalidSyntax
from ikeref.wire.header import new

_FIXED: Final = struct.Struct(">HH")
_pack: Final = _FIXED.pack
_unpack: Final = _FIXED.unpack_from


class SK(NamedTuple):
    """Encrypted and Authenticated: always the last payload (Section 3.14).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    ~                     Initialization Vector                     ~
    +---------------------------------------------------------------+
    ~                    Encrypted IKE Payloads                     ~
    +               +-----------------------------------------------+
    |               |             Padding (0-255 octets)            |
    +---------------+-------------------------------+---------------+
    |                                               |  Pad Length   |
    +-----------------------------------------------+---------------+
    ~                    Integrity Checksum Data                    ~
    +---------------------------------------------------------------+
    """

    next_payload: int
    """Type of the first payload inside, 0 when there is none."""
    body: bytes
    """Initialization Vector, ciphertext and Integrity Checksum Data: how long each is, the suite says."""
    flags: int = 0


class SKF(NamedTuple):
    """Encrypted and Authenticated Fragment: always the last payload (RFC 7383 section 2.5).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |        Fragment Number        |        Total Fragments        |
    +-------------------------------+-------------------------------+
    ~                     Initialization Vector                     ~
    +---------------------------------------------------------------+
    ~                      Encrypted content                        ~
    +               +-----------------------------------------------+
    |               |             Padding (0-255 octets)            |
    +---------------+-------------------------------+---------------+
    |                                               |  Pad Length   |
    +-----------------------------------------------+---------------+
    ~                    Integrity Checksum Data                    ~
    +---------------------------------------------------------------+
    """

    next_payload: int
    """In fragment 1 the type of the first payload inside, else 0."""
    fragment_number: int
    """From 1."""
    total_fragments: int
    body: bytes
    flags: int = 0


def decode_sk(octets: bytes, start: int, stop: int, flags: int, next_payload: int) -> SK:
    """SK from its body, octets `start` to `stop`. Section 3.14."""
    return new(SK, (next_payload, octets[start:stop], flags))


def decode_skf(octets: bytes, start: int, stop: int, flags: int, next_payload: int) -> SKF:
    """SKF from its body, octets `start` to `stop`.

    Errors: `InvalidSyntax`; `Dropped` for numbers that RFC 7383 section 2.6 has discarded in silence.
    """
    if stop - start < 4:
        raise InvalidSyntax(
            f"SKF has {stop - start} octets, fewer than its fixed fields",
            section="RFC 7383 2.5",
            offset=start - 2,
            field="SKF.Payload Length",
        )
    number, total = _unpack(octets, start)
    if not 1 <= number <= total:
        at, field = (start + 2, "SKF.Total Fragments") if total == 0 else (start, "SKF.Fragment Number")
        raise Dropped(f"there is no fragment {number} of {total}", section="RFC 7383 2.6", offset=at, field=field)
    return SKF(next_payload, number, total, octets[start + 4 : stop], flags)


def encode_sk(payload: SK) -> bytes:
    """The body of an SK payload. Section 3.14."""
    return payload.body


def encode_skf(payload: SKF) -> bytes:
    """The body of an SKF payload. RFC 7383 section 2.5."""
    return _pack(payload.fragment_number, payload.total_fragments) + payload.body
