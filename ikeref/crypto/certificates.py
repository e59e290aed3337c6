"""X.509 certificates and keys: loading, validation and identity (Sections 2.15, 3.5, 3.6 and 3.7, RFC 4945, RFC 7670).

What a certificate proves is decided in three steps: `paths` leads it to a trust anchor, `names` finds the identity in
it, and `revocation` asks whether it still holds. `validate` takes the first two.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha1

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from ikeref.crypto import der
from ikeref.crypto.auth import PrivateKey, PublicKey
from ikeref.crypto.names import Identified, matches
from ikeref.crypto.paths import MAX_CERTIFICATES, MAX_DEPTH, UNREADABLE, failed, find_path
from ikeref.errors import LocalProtocolError

__all__ = [
    "MAX_CERTIFICATES",
    "MAX_DEPTH",
    "Identified",
    "authority_hash",
    "find_path",
    "key_for",
    "key_info",
    "load_certificates",
    "load_private_key",
    "load_public_key",
    "matches",
    "public_key_info",
    "to_der",
    "validate",
]


def load_certificates(octets: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file, or the one of a DER file. `LocalProtocolError` if there is none."""
    try:
        if b"-----BEGIN" in octets:
            return tuple(x509.load_pem_x509_certificates(octets))
        return (x509.load_der_x509_certificate(octets),)
    except ValueError as error:
        raise LocalProtocolError(f"no certificate: {error}", section="3.6") from None


def load_private_key(octets: bytes, password: bytes | None = None) -> PrivateKey:
    """A private key in PEM or DER. `LocalProtocolError` without a word about its contents."""
    load = load_pem_private_key if b"-----BEGIN" in octets else load_der_private_key
    try:
        key = load(octets, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey):
        return key
    raise LocalProtocolError("no private key that can make an AUTH payload", section="2.15")


def load_public_key(octets: bytes) -> PublicKey:
    """A SubjectPublicKeyInfo in PEM or DER."""
    load = load_pem_public_key if b"-----BEGIN" in octets else load_der_public_key
    try:
        key: object = load(octets)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        return key
    raise LocalProtocolError("no public key that can check an AUTH payload", section="2.15")


def to_der(certificate: x509.Certificate) -> bytes:
    """The Certificate Data of encoding 4 (Section 3.6)."""
    return certificate.public_bytes(Encoding.DER)


def key_info(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo as it stands in the certificate (RFC 5280 section 4.1)."""
    fields = der.elements(der.content(certificate.tbs_certificate_bytes, 0x30)[0])
    versioned = fields[0].tag == 0xA0
    return fields[5 + versioned].octets  # after serial number, signature, issuer, validity and subject


def public_key_info(key: PublicKey) -> bytes:
    """The Certificate Data of encoding 15: a SubjectPublicKeyInfo in DER (RFC 7670 section 3)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def authority_hash(certificate: x509.Certificate) -> bytes:
    """SHA-1 of an anchor's Subject Public Key Info, 20 octets: how CERTREQ names it (Section 3.7, `7296-3.7-04`)."""
    return sha1(key_info(certificate), usedforsecurity=False).digest()


def validate(
    chain_der: Sequence[bytes], anchors: Iterable[x509.Certificate], now: datetime, identity: Identified
) -> PublicKey:
    """The public key of a peer whose certificate leads to an anchor and bears its identity (Section 2.15).

    `chain_der` are the CERT payloads' certificates in order, the peer's own first, as `find_path` takes them.
    Raises `AuthenticationFailed`.
    """
    leaf = find_path(chain_der, tuple(anchors), now)[0]
    return key_for(leaf, identity)


def key_for(leaf: x509.Certificate, identity: Identified, *, wildcards: bool = False) -> PublicKey:
    """The key of a certificate that leads to an anchor, if it bears the identity. Raises `AuthenticationFailed`."""
    try:
        if not matches(identity, leaf, wildcards=wildcards):
            raise failed("the certificate does not bear the identity")
        key = leaf.public_key()
    except (*UNREADABLE, UnsupportedAlgorithm):
        raise failed("a certificate cannot be read") from None
    if isinstance(key, RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        return key
    raise failed("the certificate's key makes no AUTH payload")
