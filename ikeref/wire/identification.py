"""The Identification payloads, initiator and responder (Section 3.5)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import IdType
from ikeref.wire.header import new

_pack: Final = struct.Struct(">B3s").pack
_SIZES: Final[dict[int, int]] = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}
"""Octets of Identification Data where the type fixes them (Section 3.5)."""


class IDi(NamedTuple):
    """Identification, initiator: who the original initiator says it is (Section 3.5).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |    ID Type    |                   RESERVED                    |
    +---------------+-----------------------------------------------+
    ~                      Identification Data                      ~
    +---------------------------------------------------------------+
    """

    id_type: int
    data: bytes
    reserved: int = 0
    """Three octets."""
    flags: int = 0


class IDr(NamedTuple):
    """Identification, responder: the figure of `IDi` (Section 3.5)."""

    id_type: int
    data: bytes
    reserved: int = 0
    """Three octets."""
    flags: int = 0


def decode_idi(octets: bytes, start: int, stop: int, flags: int) -> IDi:
    """IDi from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.5."""
    id_type, reserved = _decode_fixed(octets, start, stop, "IDi")
    return new(IDi, (id_type, octets[start + 4 : stop], reserved, flags))


def decode_idr(octets: bytes, start: int, stop: int, flags: int) -> IDr:
    """IDr from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.5."""
    id_type, reserved = _decode_fixed(octets, start, stop, "IDr")
    return new(IDr, (id_type, octets[start + 4 : stop], reserved, flags))


def _decode_fixed(octets: bytes, start: int, stop: int, name: str) -> tuple[int, int]:
    """ID Type and RESERVED, after a check of the sizes."""
    size = stop - start - 4
    if size < 0:
        raise InvalidSyntax(
            f"{name} has {size + 4} octets, fewer than its type and reserved fields",
            section="3.5",
            offset=start - 2,
            field=f"{name}.Payload Length",
        )
    id_type = octets[start]
    if id_type in _SIZES and size != _SIZES[id_type]:
        raise InvalidSyntax(
            f"Identification Data of type {id_type} has {_SIZES[id_type]} octets, not {size}",
            section="3.5",
            offset=start - 2,
            field=f"{name}.Payload Length",
        )
    return id_type, int.from_bytes(octets[start + 1 : start + 4], "big")


def encode_id(payload: IDi | IDr) -> bytes:
    """The body of an Identification payload: what AUTH covers as RestOfInitIDPayload or RestOfRespIDPayload.

    Sections 2.15 and 3.5.
    """
    return _pack(payload.id_type, payload.reserved.to_bytes(3, "big")) + payload.data
