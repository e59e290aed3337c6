"""Bundles of certificates and CRLs, found by hash and URL (Section 3.6, encoding 13).

CertificateOrCRL ::= CHOICE { cert [0] Certificate, crl [1] CertificateList }   -- explicit tags
CertificateBundle ::= SEQUENCE OF CertificateOrCRL
"""

from typing import NamedTuple

from ikeref.crypto import der

_CERT, _CRL, _SEQUENCE = 0xA0, 0xA1, 0x30


class Bundle(NamedTuple):
    """Its certificates and its CRLs in DER, each in order; of a chain the end entity's comes first."""

    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]


def parse(octets: bytes) -> Bundle:
    """A CertificateBundle (`7296-3.6-09`). ValueError where the octets are none."""
    inner, rest = der.content(octets, _SEQUENCE, "bundle")
    if rest:
        raise ValueError("octets follow the bundle")
    found: dict[int, list[bytes]] = {_CERT: [], _CRL: []}
    for choice in der.elements(inner, "bundle"):
        held = der.element(choice.content, "bundle")
        if choice.tag not in found or held.tag != _SEQUENCE or held.rest:
            raise ValueError("the bundle holds neither certificate nor CRL")
        found[choice.tag].append(held.octets)
    return Bundle(tuple(found[_CERT]), tuple(found[_CRL]))


def build(bundle: Bundle) -> bytes:
    """The octets of a CertificateBundle."""
    held = [der.encode(_CERT, each) for each in bundle.certificates]
    held += [der.encode(_CRL, each) for each in bundle.crls]
    return der.encode(_SEQUENCE, b"".join(held))
