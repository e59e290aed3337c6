"""The Configuration payload (Section 3.15)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax

_ATTRIBUTE: Final = struct.Struct(">HH")
_pack: Final = _ATTRIBUTE.pack
_unpack: Final = _ATTRIBUTE.unpack_from


class CfgAttr(NamedTuple):
    """One item of configuration; in a request an empty value asks for one (Section 3.15.1).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-----------------------------+-------------------------------+
    |R|       Attribute Type        |            Length             |
    +-+-----------------------------+-------------------------------+
    ~                             Value                             ~
    +---------------------------------------------------------------+
    """

    type: int
    value: bytes = b""
    reserved: int = 0
    """The R bit, 0 or 1."""


class CP(NamedTuple):
    """Configuration (Section 3.15).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |   CFG Type    |                   RESERVED                    |
    +---------------+-----------------------------------------------+
    ~                   Configuration Attributes                    ~
    +---------------------------------------------------------------+
    """

    cfg_type: int
    attributes: tuple[CfgAttr, ...] = ()
    reserved: int = 0
    """Three octets."""
    flags: int = 0


def decode_cp(octets: bytes, start: int, stop: int, flags: int) -> CP:
    """CP from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.15."""
    if stop - start < 4:
        raise InvalidSyntax(
            f"CP has {stop - start} octets, fewer than its fixed fields",
            section="3.15",
            offset=start - 2,
            field="CP.Payload Length",
        )
    attributes: list[CfgAttr] = []
    position = start + 4
    while position < stop:
        path = f"CP.attribute[{len(attributes) + 1}]"
        if stop - position < 4:
            raise InvalidSyntax("an attribute has at least 4 octets", section="3.15.1", offset=position, field=path)
        kind, length = _unpack(octets, position)
        position += 4
        if length > stop - position:
            raise InvalidSyntax(
                f"Length {length} does not fit: {stop - position} octets are left",
                section="3.15.1",
                offset=position - 2,
                field=f"{path}.Length",
            )
        attributes.append(CfgAttr(kind & 0x7FFF, octets[position : position + length], kind >> 15))
        position += length
    return CP(octets[start], tuple(attributes), int.from_bytes(octets[start + 1 : start + 4], "big"), flags)


def encode_cp(payload: CP) -> bytes:
    """The body of a CP payload. Section 3.15."""
    parts = [payload.cfg_type.to_bytes(1, "big"), payload.reserved.to_bytes(3, "big")]
    for kind, value, reserved in payload.attributes:
        parts += (_pack(reserved << 15 | kind, len(value)), value)
    return b"".join(parts)
