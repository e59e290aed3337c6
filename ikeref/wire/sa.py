"""The Security Association payload with its proposals, transforms and attributes (Section 3.3)."""

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import AttributeType, ProtocolId
from ikeref.wire.header import new

_PROPOSAL: Final = struct.Struct(">BBHBBBB")
_TRANSFORM: Final = struct.Struct(">BBHBBH")
_ATTRIBUTE: Final = struct.Struct(">HH")
_unpack_proposal: Final = _PROPOSAL.unpack_from
_unpack_transform: Final = _TRANSFORM.unpack_from
_pack_transform: Final = _TRANSFORM.pack
_unpack_attribute: Final = _ATTRIBUTE.unpack_from

_KEY_LENGTH: Final = int(AttributeType.KEY_LENGTH)
_LAST: Final = 0
_MORE_PROPOSALS: Final = 2
_MORE_TRANSFORMS: Final = 3
_ATTRIBUTE_FORMAT: Final = 0x8000
"""The AF bit: the attribute is Type/Value (TV), not Type/Length/Value (TLV)."""

SPI_SIZES: Final[dict[int, tuple[int, ...]]] = {
    int(ProtocolId.IKE): (0, 8),
    int(ProtocolId.AH): (4,),
    int(ProtocolId.ESP): (4,),
}
"""Octets of the SPI in a proposal, by protocol (Section 3.3.1): for IKE none at first, eight in a rekey."""


class Attribute(NamedTuple):
    """A property of a transform: TV holds an int of 16 bits, TLV any octets (Section 3.3.5).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-----------------------------+-------------------------------+
    |A|       Attribute Type        |    AF=0:  Attribute Length    |
    |F|                             |    AF=1:  Attribute Value     |
    +-+-----------------------------+-------------------------------+
    |                    AF=0:  Attribute Value                     |
    +---------------------------------------------------------------+
    """

    type: int
    value: int | bytes


class Transform(NamedTuple):
    """One algorithm on offer (Section 3.3.2).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    | Last Substruc |   RESERVED    |       Transform Length        |
    +---------------+---------------+-------------------------------+
    |Transform Type |   RESERVED    |         Transform ID          |
    +---------------+---------------+-------------------------------+
    ~                     Transform Attributes                      ~
    +---------------------------------------------------------------+
    """

    type: int
    id: int
    attributes: tuple[Attribute, ...] = ()
    reserved: int = 0
    """The octet after Last Substruc."""
    reserved2: int = 0
    """The octet after Transform Type."""

    @property
    def key_length(self) -> int | None:
        """Key Length in bits, None where it is absent or not in TV form (Section 3.3.5)."""
        for attribute in self.attributes:
            if attribute.type == _KEY_LENGTH and isinstance(attribute.value, int):
                return attribute.value
        return None


class Proposal(NamedTuple):
    """One way to protect an SA: alternatives per transform type (Section 3.3.1).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    | Last Substruc |   RESERVED    |        Proposal Length        |
    +---------------+---------------+---------------+---------------+
    | Proposal Num  |  Protocol ID  |   SPI Size    |Num Transforms |
    +---------------+---------------+---------------+---------------+
    ~                        SPI (variable)                         ~
    +---------------------------------------------------------------+
    ~                         <Transforms>                          ~
    +---------------------------------------------------------------+
    """

    number: int
    protocol_id: int
    spi: bytes
    transforms: tuple[Transform, ...]
    reserved: int = 0


class SA(NamedTuple):
    """Security Association: what is offered, or the one proposal that was chosen (Section 3.3).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    ~                          <Proposals>                          ~
    +---------------------------------------------------------------+
    """

    proposals: tuple[Proposal, ...]
    flags: int = 0


def decode_sa(octets: bytes, start: int, stop: int, flags: int) -> SA:
    """SA from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.3."""
    proposals: list[Proposal] = []
    position = previous = start
    last = _MORE_PROPOSALS
    while last == _MORE_PROPOSALS:
        if stop - position < 8:
            raise _no_proposal(start, previous, len(proposals), position, stop)
        last, reserved, length, number, protocol_id, spi_size, count = _unpack_proposal(octets, position)
        end = position + length
        body = position + 8 + spi_size
        if length < 8 or end > stop:
            raise _wrong(
                f"Proposal Length {length} does not fit: {stop - position} octets are left",
                "3.3.1",
                position + 2,
                len(proposals),
                ".Proposal Length",
            )
        if body > end:
            raise _wrong(
                f"an SPI of {spi_size} octets is longer than its proposal",
                "3.3.1",
                position + 6,
                len(proposals),
                ".SPI Size",
            )
        if protocol_id in SPI_SIZES and spi_size not in SPI_SIZES[protocol_id]:
            raise _wrong(
                f"an SPI of {spi_size} octets does not belong to protocol {protocol_id}",
                "3.3.1",
                position + 6,
                len(proposals),
                ".SPI Size",
            )
        transforms = _decode_transforms(octets, body, end, len(proposals))
        if len(transforms) != count:
            raise _wrong(
                f"Num Transforms says {count}, there are {len(transforms)}",
                "3.3.1",
                position + 7,
                len(proposals),
                ".Num Transforms",
            )
        spi = octets[position + 8 : body]
        proposals.append(new(Proposal, (number, protocol_id, spi, tuple(transforms), reserved)))
        previous, position = position, end
    if last != _LAST:
        reason = f"Last Substruc is {last}, and only 0 and 2 have a meaning"
        raise _wrong(reason, "3.3.1", previous, len(proposals) - 1, ".Last Substruc")
    if position != stop:
        raise _wrong(f"{stop - position} octets follow the last proposal", "3.3", position, len(proposals), "")
    return new(SA, (tuple(proposals), flags))


def _decode_transforms(octets: bytes, start: int, stop: int, proposal: int) -> list[Transform]:
    """The transforms of proposal index `proposal`. Errors: `InvalidSyntax`. Section 3.3.2."""
    transforms: list[Transform] = []
    position = previous = start
    last = _MORE_TRANSFORMS if start < stop else _LAST
    while last == _MORE_TRANSFORMS:
        if stop - position < 8:
            raise _no_transform(previous, proposal, len(transforms), position, stop)
        last, reserved, length, kind, reserved2, number = _unpack_transform(octets, position)
        end = position + length
        if length < 8 or end > stop:
            raise _wrong(
                f"Transform Length {length} does not fit: {stop - position} octets are left",
                "3.3.2",
                position + 2,
                proposal,
                ".Transform Length",
                len(transforms),
            )
        attributes = _decode_attributes(octets, position + 8, end, proposal, len(transforms)) if length > 8 else ()
        transforms.append(new(Transform, (kind, number, attributes, reserved, reserved2)))
        previous, position = position, end
    if last != _LAST:
        reason = f"Last Substruc is {last}, and only 0 and 3 have a meaning"
        raise _wrong(reason, "3.3.2", previous, proposal, ".Last Substruc", len(transforms) - 1)
    if position != stop:
        raise _wrong(
            f"{stop - position} octets follow the last transform", "3.3.2", position, proposal, "", len(transforms)
        )
    return transforms


def _decode_attributes(octets: bytes, start: int, stop: int, proposal: int, transform: int) -> tuple[Attribute, ...]:
    """The attributes of one transform. Errors: `InvalidSyntax`. Section 3.3.5."""
    attributes: list[Attribute] = []
    position = start
    while position < stop:
        if stop - position < 4:
            reason = "an attribute has at least 4 octets"
            raise _wrong(reason, "3.3.5", position, proposal, _attribute(attributes), transform)
        kind, value = _unpack_attribute(octets, position)
        position += 4
        if kind & _ATTRIBUTE_FORMAT:
            attributes.append(new(Attribute, (kind & 0x7FFF, value)))
            continue
        if value > stop - position:
            raise _wrong(
                f"Attribute Length {value} does not fit: {stop - position} octets are left",
                "3.3.5",
                position - 2,
                proposal,
                _attribute(attributes) + ".Attribute Length",
                transform,
            )
        attributes.append(Attribute(kind, octets[position : position + value]))
        position += value
    return tuple(attributes)


def _no_transform(previous: int, proposal: int, count: int, position: int, stop: int) -> InvalidSyntax:
    """The error of a proposal with too few octets at `position`, where a transform is announced; `previous` is where
    the last one begins."""
    if position < stop:
        return _wrong("a transform has at least 8 octets", "3.3.2", position, proposal, "", count)
    reason = "Last Substruc announces a transform, and none follows"
    return _wrong(reason, "3.3.2", previous, proposal, ".Last Substruc", count - 1)


def _no_proposal(start: int, previous: int, count: int, position: int, stop: int) -> InvalidSyntax:
    """The error of an SA payload with too few octets at `position`, where a proposal is announced; `previous` is where
    the last one begins."""
    if position < stop:
        return _wrong("a proposal has at least 8 octets", "3.3.1", position, count, "")
    if count:
        reason = "Last Substruc announces a proposal, and none follows"
        return _wrong(reason, "3.3.1", previous, count - 1, ".Last Substruc")
    return InvalidSyntax("SA has no proposal", section="3.3", offset=start - 2, field="SA.Payload Length")


def _attribute(before: list[Attribute]) -> str:
    return f".attribute[{len(before) + 1}]"


def _wrong(reason: str, section: str, offset: int, proposal: int, field: str, transform: int = -1) -> InvalidSyntax:
    """The error for a field of the proposal, and of the transform, with these indices from 0."""
    path = f"SA.proposal[{proposal + 1}]"
    if transform >= 0:
        path += f".transform[{transform + 1}]"
    return InvalidSyntax(reason, section=section, offset=offset, field=path + field)


def encode_sa(payload: SA) -> bytes:
    """The body of an SA payload: counts, lengths and Last Substruc are derived. Section 3.3."""
    parts: list[bytes] = []
    left = len(payload.proposals)
    for number, protocol_id, spi, transforms, reserved in payload.proposals:
        left -= 1
        body = _encode_transforms(transforms)
        last = _MORE_PROPOSALS if left else _LAST
        length = 8 + len(spi) + len(body)
        parts += (
            _PROPOSAL.pack(last, reserved, length, number, protocol_id, len(spi), len(transforms)),
            spi,
            body,
        )
    return b"".join(parts)


@lru_cache(maxsize=256)
def _encode_transforms(transforms: tuple[Transform, ...]) -> bytes:
    """The transforms of a proposal. An endpoint says the same few again and again: they are its policy."""
    parts: list[bytes] = []
    left = len(transforms)
    for kind, number, attributes, reserved, reserved2 in transforms:
        left -= 1
        last = _MORE_TRANSFORMS if left else _LAST
        if attributes:
            body = b"".join(map(_encode_attribute, attributes))
            parts.append(_pack_transform(last, reserved, 8 + len(body), kind, reserved2, number) + body)
        else:
            parts.append(_pack_transform(last, reserved, 8, kind, reserved2, number))
    return b"".join(parts)


def _encode_attribute(attribute: Attribute) -> bytes:
    if isinstance(attribute.value, int):
        return _ATTRIBUTE.pack(_ATTRIBUTE_FORMAT | attribute.type, attribute.value)
    return _ATTRIBUTE.pack(attribute.type, len(attribute.value)) + attribute.value
