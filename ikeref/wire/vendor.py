"""The Vendor ID payload, and payloads of types that we don't know (Sections 2.5 and 3.12)."""

from typing import NamedTuple


class V(NamedTuple):
    """Vendor ID: octets that name an implementation or an extension (Section 3.12).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    ~                        Vendor ID (VID)                        ~
    +---------------------------------------------------------------+
    """

    data: bytes
    flags: int = 0


class Unknown(NamedTuple):
    """A payload of a type that we don't know and whose Critical bit is clear: kept, and ignored (Section 2.5)."""

    type: int
    data: bytes
    flags: int = 0
    next_payload: int = 0
    """What Next Payload says although nothing follows; a type like SK or SKF tells there what is inside."""


def decode_vendor(octets: bytes, start: int, stop: int, flags: int) -> V:
    """V from its body, octets `start` to `stop`. Section 3.12."""
    return V(octets[start:stop], flags)


def encode_opaque(payload: V | Unknown) -> bytes:
    """The body of a payload without structure. Section 3.12."""
    return payload.data
