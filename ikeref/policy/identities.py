"""Identities: what IDi and IDr carry, as people write them and as policy compares them (Section 3.5).

The notation is the one known from strongSwan: `10.0.0.1`, `2001:db8::1`, `moon.example.org` or `@moon.example.org`,
`carol@example.org`, `C=CH, O=Example, CN=moon` (relative names in the order of the certificate), `keyid:text`,
`keyid:0x6d6f6f6e`. A prefix (`ipv4:`, `ipv6:`, `fqdn:`, `email:`, `dn:`, `keyid:`) settles what a bare word would leave
open; `dn:0x...` gives the DER octets themselves.
"""

import ipaddress
from contextlib import suppress
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ikeref import registry
from ikeref.crypto.names import decode_dn, fold_mailbox, same_dn
from ikeref.registry import IdType


class Identity(NamedTuple):
    """Type and data of an identity, as in an ID payload."""

    id_type: int
    data: bytes

    def __str__(self) -> str:
        return to_text(self)


_ATTRIBUTES = (
    ("CN", NameOID.COMMON_NAME),
    ("C", NameOID.COUNTRY_NAME),
    ("ST", NameOID.STATE_OR_PROVINCE_NAME),
    ("L", NameOID.LOCALITY_NAME),
    ("O", NameOID.ORGANIZATION_NAME),
    ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("SN", NameOID.SERIAL_NUMBER),
    ("DC", NameOID.DOMAIN_COMPONENT),
    ("UID", NameOID.USER_ID),
    ("E", NameOID.EMAIL_ADDRESS),
    ("G", NameOID.GIVEN_NAME),
    ("S", NameOID.SURNAME),
    ("T", NameOID.TITLE),
)
_OID_OF = dict(_ATTRIBUTES) | {"EMAILADDRESS": NameOID.EMAIL_ADDRESS}
_NAME_OF = {oid.dotted_string: name for name, oid in _ATTRIBUTES}


def parse(text: str) -> Identity:
    """The identity that a text stands for.

    Raises ValueError with the reason; an empty text is one.
    """
    text = text.strip()
    prefix, colon, rest = text.partition(":")
    if colon:
        match prefix.lower():
            case "ipv4":
                return Identity(IdType.IPV4_ADDR, ipaddress.IPv4Address(rest).packed)
            case "ipv6":
                return Identity(IdType.IPV6_ADDR, ipaddress.IPv6Address(rest).packed)
            case "fqdn":
                return Identity(IdType.FQDN, _ascii(rest))
            case "email" | "rfc822":
                return Identity(IdType.RFC822_ADDR, _mail(rest))
            case "keyid":
                return Identity(IdType.KEY_ID, _octets(rest))
            case "dn" | "asn1dn":
                return Identity(IdType.DER_ASN1_DN, _octets(rest) if rest.startswith("0x") else encode_dn(rest))
    if text.startswith("@"):
        return Identity(IdType.FQDN, _ascii(text[1:]))
    if "=" in text:
        return Identity(IdType.DER_ASN1_DN, encode_dn(text))
    if "@" in text:
        return Identity(IdType.RFC822_ADDR, _mail(text))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        if ":" in text:
            raise ValueError(f"{text!r} is neither an IPv6 address nor starts with a known prefix") from None
        return Identity(IdType.FQDN, _ascii(text))
    return Identity(IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR, address.packed)


def to_text(identity: Identity) -> str:
    """The text that `parse` turns back into the same type and data; never raises, whatever a peer sent."""
    kind, data = identity
    hexadecimal = f"0x{data.hex()}"
    try:
        if kind in (IdType.IPV4_ADDR, IdType.IPV6_ADDR):
            text = str(ipaddress.ip_address(data))
        elif kind in (IdType.FQDN, IdType.RFC822_ADDR):
            text = data.decode("ascii" if kind == IdType.FQDN else "utf-8")
        elif kind == IdType.DER_ASN1_DN:
            text = dn_to_text(data)
            if encode_dn(text) != data:
                text = f"dn:{hexadecimal}"
        elif kind == IdType.KEY_ID:
            text = "keyid:" + data.decode("ascii")
        else:
            return f"{registry.name(IdType, kind)}:{hexadecimal}"
        if text.isprintable():
            for candidate in (text, f"@{text}", f"email:{text}"):
                with suppress(ValueError):
                    if parse(candidate) == identity:
                        return candidate
    except ValueError:
        pass
    if kind in (IdType.KEY_ID, IdType.DER_ASN1_DN):
        return f"{'keyid' if kind == IdType.KEY_ID else 'dn'}:{hexadecimal}"
    return f"{registry.name(IdType, kind)}:{hexadecimal}"


def matches(expected: Identity | None, got: Identity) -> bool:
    """Whether policy that expects one identity is satisfied with another (Section 3.5).

    None expects nothing. Domain names compare without regard to case, distinguished names by attributes and values (in
    order, without regard to case, outer blanks and string type), all else octet by octet.
    """
    if expected is None or expected == got:
        return True
    if expected.id_type != got.id_type:
        return False
    if expected.id_type == IdType.FQDN:
        return expected.data.lower() == got.data.lower()
    if expected.id_type == IdType.RFC822_ADDR:
        return fold_mailbox(expected.data) == fold_mailbox(got.data)
    return expected.id_type == IdType.DER_ASN1_DN and same_dn(expected.data, got.data)


def encode_dn(text: str) -> bytes:
    """DER of `C=CH, O=Example, CN=moon`, relative names in the order written; `\\,` is a comma in a value.

    Raises ValueError where an attribute is unknown (dotted OIDs are accepted) or has no value.
    """
    attributes = []
    for part in _split(text):
        key, equals, value = part.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not value:
            raise ValueError(f"{part.strip()!r} in a distinguished name is not of the form NAME=VALUE")
        oid = _OID_OF.get(key.upper())
        if oid is None:
            if not key[:1].isdigit():
                known = ", ".join(name for name, _ in _ATTRIBUTES)
                raise ValueError(
                    f"{key!r} is no attribute of distinguished names known here ({known}, or a dotted OID)"
                )
            oid = ObjectIdentifier(key)
        attributes.append(x509.NameAttribute(oid, value))
    return x509.Name(attributes).public_bytes()


def dn_to_text(der: bytes) -> str:
    """The readable form of a distinguished name in DER; ValueError where the octets are none."""
    return ", ".join(
        f"{_NAME_OF.get(oid, oid)}=" + value.replace("\\", "\\\\").replace(",", "\\,")
        for oid, value, _ in decode_dn(der)
    )


def _split(text: str) -> list[str]:
    parts, current, escaped = [], "", False
    for character in text:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == ",":
            parts.append(current)
            current = ""
        else:
            current += character
    if escaped:
        raise ValueError("a distinguished name ends in a backslash")
    return [*parts, current]


def _ascii(text: str) -> bytes:
    if not text or not text.isascii() or any(character.isspace() for character in text):
        raise ValueError(f"{text!r} is no name: it must be ASCII without blanks, and not empty")
    return text.encode("ascii")


def _mail(text: str) -> bytes:
    """A mail address or NAI, of which nothing is checked that a user's name may be (7296-3.5-11, 7296-3.5-18)."""
    if not text or any(character.isspace() for character in text):
        raise ValueError(f"{text!r} is no name: it must be without blanks, and not empty")
    return text.encode("utf-8")


def _octets(text: str) -> bytes:
    octets = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("utf-8")
    if not octets:
        raise ValueError("the identity is empty")
    return octets
