"""Names in certificates, and which identities they bear (Section 3.5, RFC 4945 section 3.1, RFC 5280 section 7.1)."""

from ipaddress import ip_address
from typing import NamedTuple, Protocol

from cryptography import x509

from ikeref.crypto import der
from ikeref.registry import IdType


class Identified(Protocol):
    """What an ID payload says (Section 3.5)."""

    @property
    def id_type(self) -> int: ...
    @property
    def data(self) -> bytes: ...


# Distinguished names


class RelativeName(NamedTuple):
    """One attribute of a distinguished name; `first` where it opens a new relative distinguished name."""

    oid: str
    value: str
    first: bool


_STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""DER tags of UTF8String, PrintableString, TeletexString, IA5String, UniversalString and BMPString."""
_WHAT = "distinguished name"


def decode_dn(octets: bytes) -> tuple[RelativeName, ...]:
    """Attributes of a DER distinguished name, in order (X.501: a SEQUENCE of SETs of SEQUENCEs).

    Raises ValueError where the octets are no such structure.
    """
    names = []
    sequence, rest = der.content(octets, 0x30, f"DER {_WHAT}")
    if rest:
        raise ValueError(f"octets follow the {_WHAT}")
    while sequence:
        relative, sequence = der.content(sequence, 0x31, f"DER {_WHAT}")
        first = True
        while relative:
            attribute, relative = der.content(relative, 0x30, f"DER {_WHAT}")
            oid, value = der.content(attribute, 0x06, f"DER {_WHAT}")
            if not value or value[0] not in _STRINGS:
                raise ValueError(f"an attribute of the {_WHAT} is no string")
            text, rest = der.content(value, value[0], f"DER {_WHAT}")
            if rest:
                raise ValueError(f"octets follow an attribute of the {_WHAT}")
            names.append(RelativeName(_dotted(oid), text.decode(_STRINGS[value[0]]), first))
            first = False
    return tuple(names)


def same_dn(one: bytes, other: bytes) -> bool:
    """Whether two distinguished names in DER are the same: attribute by attribute, relative names in order, without
    regard to case, to blanks (outer ones, and how many) and to the type of the strings (RFC 5280 section 7.1).

    What can't be read is equal to nothing but the same octets; nothing is equal to an empty name.
    """
    if one == other:
        return len(one) > len(_EMPTY)
    try:
        names = _comparable(decode_dn(one))
        return bool(names) and names == _comparable(decode_dn(other))
    except ValueError:
        return False


_EMPTY = b"\x30\0"


def _comparable(names: tuple[RelativeName, ...]) -> list[set[tuple[str, str]]]:
    relative: list[set[tuple[str, str]]] = []
    for oid, value, first in names:
        if first:
            relative.append(set())
        relative[-1].add((oid, " ".join(value.split()).casefold()))
    return relative


def _dotted(oid: bytes) -> str:
    if not oid or oid[-1] & 0x80:
        raise ValueError(f"an object identifier in the {_WHAT} ends early")
    numbers, value = [], 0
    for octet in oid:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    root = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (root, numbers[0] - 40 * root, *numbers[1:]))


# Identities

_ADDRESS_SIZES = {int(IdType.IPV4_ADDR): 4, int(IdType.IPV6_ADDR): 16}

# Tags of GeneralName (RFC 5280 section 4.2.1.6).
RFC822_NAME, DNS_NAME, DIRECTORY_NAME = 0x81, 0x82, 0xA4


def matches(identity: Identified, certificate: x509.Certificate, *, wildcards: bool = False) -> bool:
    """Whether the certificate bears the identity of an ID payload (Section 3.5, RFC 4945 section 3.1).

    A distinguished name must be the subject, as `same_dn` compares. FQDN, RFC822_ADDR and addresses must stand in
    subjectAltName; host names and the host part of mailboxes ignore case. A GeneralName must stand there too, or be
    the subject; it is compared as what it names. KEY_ID never matches. Only with `wildcards` does a name such as
    `*.example.org` in the certificate stand for any one label in place of the asterisk.
    """
    kind, data = identity.id_type, identity.data
    if kind == IdType.DER_ASN1_DN:
        return same_dn(certificate.subject.public_bytes(), data)
    if kind == IdType.DER_ASN1_GN:
        return _bears_general(data, certificate, wildcards)
    names = _alternative(certificate)
    if names is None:
        return False
    if kind == IdType.FQDN:
        hosts = [each.encode() for each in names.get_values_for_type(x509.DNSName)]
        return any(_same_host(host, data, wildcards) for host in hosts)
    if kind == IdType.RFC822_ADDR:
        mailbox = fold_mailbox(data)
        return any(fold_mailbox(name.encode()) == mailbox for name in names.get_values_for_type(x509.RFC822Name))
    if _ADDRESS_SIZES.get(kind) == len(data):
        address = ip_address(data)
        return any(name == address for name in names.get_values_for_type(x509.IPAddress))
    return False


def fold_mailbox(mailbox: bytes) -> bytes:
    """A mail address for comparison: the host part without regard to case."""
    local, at, host = mailbox.rpartition(b"@")
    return local + at + host.lower()


def _alternative(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _same_host(borne: bytes, claimed: bytes, wildcards: bool) -> bool:
    borne, claimed = borne.lower(), claimed.lower()
    if wildcards and borne.startswith(b"*.") and borne.count(b".") > 1:
        label, dot, parent = claimed.partition(b".")
        return bool(label and dot) and b"*" not in label and b"." + parent == borne[1:]
    return borne == claimed and b"*" not in claimed


def _bears_general(data: bytes, certificate: x509.Certificate, wildcards: bool) -> bool:
    """ID_DER_ASN1_GN: a GeneralName in DER, alone."""
    try:
        claimed = der.element(data)
        if claimed.rest:
            return False
        if claimed.tag == DIRECTORY_NAME and same_dn(certificate.subject.public_bytes(), claimed.content):
            return True
        names = _alternative(certificate)
        borne = der.elements(der.content(names.public_bytes(), 0x30)[0]) if names is not None else ()
        return any(_same_general(each, claimed, wildcards) for each in borne)
    except (TypeError, ValueError):
        return False


def _same_general(borne: der.Element, claimed: der.Element, wildcards: bool) -> bool:
    if borne.tag != claimed.tag or not claimed.content:
        return False
    if borne.tag == DNS_NAME:
        return _same_host(borne.content, claimed.content, wildcards)
    if borne.tag == RFC822_NAME:
        return fold_mailbox(borne.content) == fold_mailbox(claimed.content)
    if borne.tag == DIRECTORY_NAME:
        return same_dn(borne.content, claimed.content)
    return borne.octets == claimed.octets
