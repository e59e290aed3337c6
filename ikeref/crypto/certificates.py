"""X.509 certificates: loading, validation and identity (Sections 2.15, 3.5, 3.6 and 3.7, RFC 4945, RFC 5280).

Chains are validated by the verifier of the cryptography package, with its web profile relaxed to what IKE uses: no
subjectAltName or extended key usage is demanded. Revocation is not checked.

Departure D-3: an extended key usage for TLS servers or clients is accepted beside those of RFC 4945 section 5.1.3.12,
because certificates in the field have it.
Departure D-4: the package's verifier refuses every chain with EdDSA keys. These are walked here, signature by signature
with the package's own check of each; a name constraint in one is refused, not evaluated.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from ipaddress import ip_address
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier, SignatureAlgorithmOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from ikeref.crypto.auth import MIN_RSA_BITS, PrivateKey, PublicKey
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.registry import IdType

MAX_DEPTH = 8
"""Certificates between the peer's and the anchor, at most."""
MAX_CERTIFICATES = 16
"""CERT payloads that we look at, at most."""

_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.IPSEC_IKE,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ObjectIdentifier("1.3.6.1.5.5.8.2.2"),  # iKEIntermediate
    }
)

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
"""Critical extensions that our own walk may meet."""

_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)

T = TypeVar("T", bound=x509.ExtensionType)

_ADDRESS_SIZES = {int(IdType.IPV4_ADDR): 4, int(IdType.IPV6_ADDR): 16}


class Identified(Protocol):
    """What an ID payload says (Section 3.5)."""

    @property
    def id_type(self) -> int: ...
    @property
    def data(self) -> bytes: ...


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


def authority_hash(certificate: x509.Certificate) -> bytes:
    """SHA-1 of an anchor's Subject Public Key Info, 20 octets: how CERTREQ names it (Section 3.7)."""
    info = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha1(info, usedforsecurity=False).digest()


def validate(
    chain_der: Sequence[bytes], anchors: Iterable[x509.Certificate], now: datetime, identity: Identified
) -> PublicKey:
    """The public key of a peer whose certificate leads to an anchor and bears its identity (Section 2.15).

    `chain_der` are the CERT payloads' certificates in order, the peer's own first (Section 3.6); the others help to
    find a path, in any order, and are trusted for nothing. `now` is in some time zone. Raises `AuthenticationFailed`.
    """
    try:
        if not chain_der:
            raise _failed("no certificate")
        if len(chain_der) > MAX_CERTIFICATES:
            raise _failed(f"{len(chain_der)} certificates are too many")
        leaf, *others = (x509.load_der_x509_certificate(der) for der in chain_der)
        store = list(anchors)
        if not store:
            raise _failed("no trust anchor is configured")
        if any(_is_eddsa(certificate) for certificate in (leaf, *others)):
            _check_purpose(leaf)
            _walk(leaf, others, store, now.astimezone(UTC))
        else:
            _verify(leaf, others, store, now)
        if not matches(identity, leaf):
            raise _failed("the certificate does not bear the identity")
        key = leaf.public_key()
    except VerificationError as error:
        raise _failed(f"no valid path: {str(error)[:200]}") from None
    except (*_UNREADABLE, UnsupportedAlgorithm):
        raise _failed("a certificate cannot be read") from None
    if isinstance(key, RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        return key
    raise _failed("the certificate's key makes no AUTH payload")


def matches(identity: Identified, certificate: x509.Certificate) -> bool:
    """Whether the certificate bears the identity of an ID payload (Section 3.5, RFC 4945 section 3.1).

    A distinguished name must equal the subject octet by octet; FQDN, RFC822_ADDR and addresses must stand in
    subjectAltName, without wildcards. Host names and the host part of mailboxes ignore case. KEY_ID never matches.
    """
    if identity.id_type == IdType.DER_ASN1_DN:
        return certificate.subject.public_bytes() == identity.data
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if identity.id_type == IdType.FQDN:
        host = identity.data.lower()
        return any(name.lower().encode() == host for name in names.get_values_for_type(x509.DNSName))
    if identity.id_type == IdType.RFC822_ADDR:
        mailbox = _fold_mailbox(identity.data)
        return any(_fold_mailbox(name.encode()) == mailbox for name in names.get_values_for_type(x509.RFC822Name))
    if _ADDRESS_SIZES.get(identity.id_type) == len(identity.data):
        address = ip_address(identity.data)
        return any(name == address for name in names.get_values_for_type(x509.IPAddress))
    return False


def _verify(
    leaf: x509.Certificate, others: list[x509.Certificate], anchors: list[x509.Certificate], now: datetime
) -> None:
    builder = PolicyBuilder().store(Store(anchors)).time(now).max_chain_depth(MAX_DEPTH)
    builder.extension_policies(ca_policy=_CA, ee_policy=_END_ENTITY).build_client_verifier().verify(leaf, others)


def _check_key_usage(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise ValueError("key usage does not allow signatures")


def _check_extended_key_usage(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    if usage is not None and _PURPOSES.isdisjoint(usage):
        raise ValueError("extended key usage does not allow IKE")


# RFC 4945 sections 5.1.3.2 and 5.1.3.12; what is absent allows everything.
_END_ENTITY = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_key_usage)
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _check_extended_key_usage)
)
_CA = ExtensionPolicy.webpki_defaults_ca()


def _check_purpose(leaf: x509.Certificate) -> None:
    """What `_END_ENTITY` checks, for our own walk."""
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise _failed("key usage does not allow signatures")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        raise _failed("extended key usage does not allow IKE")


def _walk(
    leaf: x509.Certificate, others: list[x509.Certificate], anchors: list[x509.Certificate], now: datetime
) -> None:
    """Find a path from `leaf` to an anchor, the shortest first (RFC 5280 section 6.1, without name constraints).

    Each certificate is visited once, so the work is bounded by the square of `MAX_CERTIFICATES`.
    """
    defect = _defect(leaf, now)
    if defect:
        raise _failed(defect)
    seen = {leaf}
    paths = [(leaf, 0)]
    for certificate, below in paths:  # grows while we walk
        if certificate in anchors:
            return
        for issuer in (*anchors, *others):
            if issuer in seen or below == MAX_DEPTH or not _issued(certificate, issuer, below):
                continue
            if not _defect(issuer, now):
                seen.add(issuer)
                paths.append((issuer, below + 1))
    raise _failed("no valid path to a trust anchor")


def _defect(certificate: x509.Certificate, now: datetime) -> str:
    """What disqualifies a certificate wherever it stands; empty if nothing."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "a certificate is not valid now"
    if not isinstance(certificate.signature_hash_algorithm, SHA256 | SHA384 | SHA512 | None):
        return "a certificate is signed over a weak hash"
    key = certificate.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"an RSA key of {key.key_size} bits is too short"
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return f"critical extension {extension.oid.dotted_string} is not understood"
    return ""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether `issuer` may issue with `below` issuers under it (RFC 5280 section 4.2.1.9), and has issued this."""
    if issuer.subject != certificate.issuer:
        return False
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or _extension(issuer, x509.NameConstraints) is not None:
        return False
    if constraints.path_length is not None and constraints.path_length < below:
        return False
    if usage is None or not usage.key_cert_sign:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_eddsa(certificate: x509.Certificate) -> bool:
    signed = certificate.signature_algorithm_oid in (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
    return signed or isinstance(certificate.public_key(), Ed25519PublicKey | Ed448PublicKey)


def _fold_mailbox(mailbox: bytes) -> bytes:
    local, at, host = mailbox.rpartition(b"@")
    return local + at + host.lower()


def _failed(reason: str) -> AuthenticationFailed:
    return AuthenticationFailed(reason, section="2.15", field="CERT")
