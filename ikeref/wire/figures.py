"""The figures of the payloads as walks of a cursor, label by label (Sections 3.3 to 3.16, RFC 7383 section 2.5).

The labels are those of the figures beside the payload classes; error paths use the same words.
"""

from collections.abc import Callable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from ikeref import registry
from ikeref.registry import (
    AttributeType,
    AuthMethod,
    CertEncoding,
    CfgAttribute,
    CfgType,
    EapCode,
    EapType,
    HashAlgorithm,
    IdType,
    KeGroup,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformType,
    TsType,
    transform_registry,
)
from ikeref.wire.cursor import Cursor, Short, hexadecimal
from ikeref.wire.ts import ADDRESS_SIZES


class Figure(NamedTuple):
    """Where a payload's figure stands, and the walk over its body."""

    section: str
    draw: Callable[[Cursor], None]


def named(which: type[IntEnum]) -> Callable[[int], str]:
    """Shows a number with its name in registry `which`: "12 (AES_CBC)"."""

    def show(value: int) -> str:
        word = registry.name(which, value)
        return word if word.isdecimal() else f"{value} ({word})"

    return show


def bits(size: int) -> Callable[[int], str]:
    """Shows a reserved field of `size` octets in hexadecimal."""
    return lambda value: f"0x{value:0{2 * size}x}"


def characters(octets: bytes) -> str:
    """Octets that should be ASCII characters, quoted; others as escapes."""
    return repr(octets)[1:]


def address(octets: bytes) -> str:
    """An IPv4 or IPv6 address, or hexadecimal digits if it is neither."""
    if len(octets) == 4:
        return str(IPv4Address(octets))
    return str(IPv6Address(octets)) if len(octets) == 16 else octets.hex()


# SA (Section 3.3)


def _sa(cursor: Cursor) -> None:
    ordinal = 0
    while cursor.left:
        ordinal += 1
        _substructure(cursor, f"proposal[{ordinal}]", "3.3.1", _proposal)


def _substructure(cursor: Cursor, label: str, section: str, draw: Callable[[Cursor], None]) -> None:
    """A proposal or a transform: eight octets at least, and its length is in the third and fourth."""
    size = cursor.ahead(2, 2)
    if not cursor.within(max(size, 8), f"{cursor.path}.{label}", section, draw) or size < 8:
        raise Short


def _proposal(cursor: Cursor) -> None:
    cursor.number("Last Substruc", 1)
    cursor.number("RESERVED", 1, bits(1))
    cursor.number("Proposal Length", 2)
    cursor.number("Proposal Num", 1)
    cursor.number("Protocol ID", 1, named(ProtocolId))
    spi_size = cursor.number("SPI Size", 1)
    cursor.number("Num Transforms", 1)
    cursor.take("SPI", spi_size)
    ordinal = 0
    while cursor.left:
        ordinal += 1
        _substructure(cursor, f"transform[{ordinal}]", "3.3.2", _transform)


def _transform(cursor: Cursor) -> None:
    cursor.number("Last Substruc", 1)
    cursor.number("RESERVED", 1, bits(1))
    cursor.number("Transform Length", 2)
    kind = cursor.number("Transform Type", 1, named(TransformType))
    cursor.number("RESERVED", 1, bits(1))
    which = transform_registry(kind)
    cursor.number("Transform ID", 2, named(which) if which else str)
    ordinal = 0
    while cursor.left:
        ordinal += 1
        word = cursor.ahead(0, 2)
        size = 4 if word & 0x8000 else 4 + cursor.ahead(2, 2)
        if not cursor.within(size, f"{cursor.path}.attribute[{ordinal}]", "3.3.5", _attribute):
            raise Short


def _attribute(cursor: Cursor) -> None:
    show = named(AttributeType)
    word = cursor.number("Attribute Type", 2, lambda value: f"{show(value & 0x7FFF)}, AF={value >> 15}")
    if word & 0x8000:
        cursor.number("Attribute Value", 2)
    else:
        cursor.take("Attribute Value", cursor.number("Attribute Length", 2))


# Payloads with a fixed part and a tail


def _ke(cursor: Cursor) -> None:
    cursor.number("Diffie-Hellman Group Num", 2, named(KeGroup))
    cursor.number("RESERVED", 2, bits(2))
    cursor.rest("Key Exchange Data")


def _id(cursor: Cursor) -> None:
    kind = cursor.number("ID Type", 1, named(IdType))
    cursor.number("RESERVED", 3, bits(3))
    cursor.rest("Identification Data", _ID_DATA.get(kind, hexadecimal))


_ID_DATA: Final[dict[int, Callable[[bytes], str]]] = {
    IdType.IPV4_ADDR: address,
    IdType.IPV6_ADDR: address,
    IdType.FQDN: characters,
    IdType.RFC822_ADDR: characters,
}


def _cert(cursor: Cursor) -> None:
    cursor.number("Cert Encoding", 1, named(CertEncoding))
    cursor.rest("Certificate Data")


def _certreq(cursor: Cursor) -> None:
    cursor.number("Cert Encoding", 1, named(CertEncoding))
    cursor.rest("Certification Authority")


def _auth(cursor: Cursor) -> None:
    cursor.number("Auth Method", 1, named(AuthMethod))
    cursor.number("RESERVED", 3, bits(3))
    cursor.rest("Authentication Data")


def _nonce(cursor: Cursor) -> None:
    cursor.rest("Nonce Data")


def _vendor(cursor: Cursor) -> None:
    cursor.rest("Vendor ID", lambda octets: characters(octets) if octets.isascii() else octets.hex())


def opaque(cursor: Cursor) -> None:
    """A payload of a type that we don't know."""
    cursor.rest("Payload Data")


# N and D (Sections 3.10 and 3.11)


def _notify(cursor: Cursor) -> None:
    cursor.number("Protocol ID", 1, named(ProtocolId))
    spi_size = cursor.number("SPI Size", 1)
    kind = cursor.number("Notify Message Type", 2, named(NotifyType))
    cursor.take("SPI", spi_size)
    cursor.rest("Notification Data", _NOTIFICATION_DATA.get(kind, hexadecimal))


def _numbers(which: type[IntEnum], size: int) -> Callable[[bytes], str]:
    """Shows octets as numbers of `size` octets each, with their names."""
    show = named(which)
    return lambda octets: ", ".join(
        show(int.from_bytes(octets[at : at + size], "big")) for at in range(0, len(octets), size)
    )


_NOTIFICATION_DATA: Final[dict[int, Callable[[bytes], str]]] = {
    NotifyType.INVALID_KE_PAYLOAD: _numbers(KeGroup, 2),
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: _numbers(PayloadType, 1),
    NotifyType.SIGNATURE_HASH_ALGORITHMS: _numbers(HashAlgorithm, 2),
    NotifyType.SET_WINDOW_SIZE: lambda octets: str(int.from_bytes(octets, "big")),
    NotifyType.AUTH_LIFETIME: lambda octets: f"{int.from_bytes(octets, 'big')} seconds",
    NotifyType.ADDITIONAL_IP4_ADDRESS: address,
    NotifyType.ADDITIONAL_IP6_ADDRESS: address,
}


def _delete(cursor: Cursor) -> None:
    cursor.number("Protocol ID", 1, named(ProtocolId))
    size = cursor.number("SPI Size", 1)
    count = cursor.number("Num of SPIs", 2)
    # A count that the payload has no room for is the defect: don't walk further than its octets.
    for ordinal in range(1, 1 + (min(count, cursor.left // size) if size else 0)):
        cursor.take(f"SPI[{ordinal}]", size)


# TS (Section 3.13)


def _ts(cursor: Cursor) -> None:
    cursor.number("Number of TSs", 1)
    cursor.number("RESERVED", 3, bits(3))
    ordinal = 0
    while cursor.left:
        ordinal += 1
        size = cursor.ahead(2, 2)
        if not cursor.within(max(size, 4), f"{cursor.path}.selector[{ordinal}]", "3.13.1", _selector) or size < 4:
            raise Short


def _selector(cursor: Cursor) -> None:
    kind = cursor.number("TS Type", 1, named(TsType))
    cursor.number("IP Protocol ID", 1)
    cursor.number("Selector Length", 2)
    size = ADDRESS_SIZES.get(kind)
    if size is None:
        cursor.rest("Selector Data")
        return
    cursor.number("Start Port", 2)
    cursor.number("End Port", 2)
    cursor.take("Starting Address", size, address)
    cursor.take("Ending Address", size, address)


# CP and EAP (Sections 3.15 and 3.16)


def _cp(cursor: Cursor) -> None:
    cursor.number("CFG Type", 1, named(CfgType))
    cursor.number("RESERVED", 3, bits(3))
    ordinal = 0
    while cursor.left:
        ordinal += 1
        size = 4 + cursor.ahead(2, 2)
        if not cursor.within(size, f"{cursor.path}.attribute[{ordinal}]", "3.15.1", _cfg_attribute):
            raise Short


def _cfg_attribute(cursor: Cursor) -> None:
    show = named(CfgAttribute)
    word = cursor.number("Attribute Type", 2, lambda value: f"{show(value & 0x7FFF)}, R={value >> 15}")
    kind = word & 0x7FFF
    shows: Callable[[bytes], str] = hexadecimal
    if kind in (CfgAttribute.APPLICATION_VERSION, CfgAttribute.INTERNAL_DNS_DOMAIN):
        shows = characters
    elif registry.name(CfgAttribute, kind).startswith(("INTERNAL_IP4_", "INTERNAL_IP6_")):
        shows = _addresses
    cursor.take("Value", cursor.number("Length", 2), shows)


def _addresses(octets: bytes) -> str:
    """An address; an IPv4 address and netmask (8 octets); an IPv6 address and prefix length (17 octets)."""
    if len(octets) == 8:
        return f"{address(octets[:4])}/{address(octets[4:])}"
    return f"{address(octets[:16])}/{octets[16]}" if len(octets) == 17 else address(octets)


def _eap(cursor: Cursor) -> None:
    code = cursor.number("Code", 1, named(EapCode))
    cursor.number("Identifier", 1)
    cursor.number("Length", 2)
    if code in (EapCode.REQUEST, EapCode.RESPONSE) and cursor.left:
        cursor.number("Type", 1, named(EapType))
    cursor.rest("Type_Data")


# SK and SKF, still closed (Section 3.14, RFC 7383 section 2.5)


def _sk(cursor: Cursor) -> None:
    cursor.rest("Initialization Vector, ciphertext and Integrity Checksum Data")


def fragment_numbers(cursor: Cursor) -> None:
    """The fixed part of SKF."""
    cursor.number("Fragment Number", 2)
    cursor.number("Total Fragments", 2)


def _skf(cursor: Cursor) -> None:
    fragment_numbers(cursor)
    _sk(cursor)


FIGURES: Final[dict[int, Figure]] = {
    PayloadType.SA: Figure("3.3", _sa),
    PayloadType.KE: Figure("3.4", _ke),
    PayloadType.IDi: Figure("3.5", _id),
    PayloadType.IDr: Figure("3.5", _id),
    PayloadType.CERT: Figure("3.6", _cert),
    PayloadType.CERTREQ: Figure("3.7", _certreq),
    PayloadType.AUTH: Figure("3.8", _auth),
    PayloadType.NONCE: Figure("3.9", _nonce),
    PayloadType.N: Figure("3.10", _notify),
    PayloadType.D: Figure("3.11", _delete),
    PayloadType.V: Figure("3.12", _vendor),
    PayloadType.TSi: Figure("3.13", _ts),
    PayloadType.TSr: Figure("3.13", _ts),
    PayloadType.SK: Figure("3.14", _sk),
    PayloadType.CP: Figure("3.15", _cp),
    PayloadType.EAP: Figure("3.16", _eap),
    PayloadType.SKF: Figure("RFC 7383 2.5", _skf),
}
"""By payload type (Section 3.2)."""
