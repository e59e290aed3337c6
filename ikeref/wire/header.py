"""The IKE header and the generic payload header (Sections 3.1 and 3.2)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import Dropped, InvalidMajorVersion, InvalidSyntax

HEADER_SIZE: Final = 28
"""Octets of the IKE header."""
GENERIC_SIZE: Final = 4
"""Octets of the generic payload header."""
VERSION: Final = 0x20
"""Major version 2, minor version 0 (Section 2.5)."""

FLAG_INITIATOR: Final = 0x08
FLAG_VERSION: Final = 0x10
FLAG_RESPONSE: Final = 0x20
CRITICAL: Final = 0x80
"""The Critical bit in the second octet of the generic payload header."""

NO_SPI: Final = bytes(8)
"""An IKE SPI of zero: "not known yet" for the responder's, never allowed for the initiator's (Section 3.1)."""

new: Final = tuple.__new__
"""`new(SK, (next_payload, body, 0))` is `SK(next_payload, body, 0)` at half the cost, where many are decoded."""

_HEADER: Final = struct.Struct(">8s8sBBBBII")
pack_header: Final = _HEADER.pack
unpack_header: Final = _HEADER.unpack_from
_GENERIC: Final = struct.Struct(">BBH")
pack_generic: Final = _GENERIC.pack
unpack_generic: Final = _GENERIC.unpack_from


class Header(NamedTuple):
    """The fixed header of every IKE message (Section 3.1).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------------------------------------------------------+
    |                    IKE SA Initiator's SPI                     |
    |                          (8 octets)                           |
    +---------------------------------------------------------------+
    |                    IKE SA Responder's SPI                     |
    |                          (8 octets)                           |
    +---------------+-------+-------+---------------+---------------+
    | Next Payload  | MjVer | MnVer | Exchange Type |X X R V I X X X|
    +---------------+-------+-------+---------------+---------------+
    |                          Message ID                           |
    +---------------------------------------------------------------+
    |             Length (octets, header and payloads)              |
    +---------------------------------------------------------------+
    """

    spi_i: bytes
    spi_r: bytes
    next_payload: int
    version: int
    """Major version in the high four bits, minor version in the low four."""
    exchange_type: int
    flags: int
    """The whole octet: R 0x20, V 0x10, I 0x08, the others reserved."""
    message_id: int
    length: int

    @property
    def major_version(self) -> int:
        return self.version >> 4

    @property
    def is_response(self) -> bool:
        return self.flags & FLAG_RESPONSE != 0

    @property
    def is_initiator(self) -> bool:
        """True when the original initiator of the IKE SA sent it (Section 3.1, the I flag)."""
        return self.flags & FLAG_INITIATOR != 0


def peek(datagram: bytes) -> Header:
    """The header of `datagram` as it stands, nothing checked but its size.

    Errors: `Dropped` when there are fewer than 28 octets. Section 3.1.
    """
    if len(datagram) < HEADER_SIZE:
        raise Dropped(
            f"{len(datagram)} octets are too few for an IKE header of {HEADER_SIZE}",
            section="3.1",
            offset=len(datagram),
            field="Header",
        )
    return new(Header, unpack_header(datagram))


def refuse_header(header: Header, size: int) -> None:
    """Raise for the first field of `header` that its receiver must not accept in a datagram of `size` octets.

    Errors: `InvalidMajorVersion`, `Dropped`, `InvalidSyntax`. Sections 2.5 and 3.1.
    """
    if header.major_version > 2:
        raise InvalidMajorVersion(
            f"major version {header.major_version} is higher than 2",
            section="2.5",
            offset=17,
            field="Header.Version",
        )
    if header.major_version == 1:
        raise Dropped("this is IKEv1: major version 1", section="2.5", offset=17, field="Header.Version")
    if header.major_version == 0:
        raise Dropped("major version 0 is not IKEv2", section="2.5", offset=17, field="Header.Version")
    if header.spi_i == NO_SPI:
        raise Dropped(
            "the initiator's SPI must not be zero", section="3.1", offset=0, field="Header.IKE SA Initiator's SPI"
        )
    if header.length != size:
        raise InvalidSyntax(
            f"Length says {header.length} octets, the datagram has {size}",
            section="3.1",
            offset=24,
            field="Header.Length",
        )
