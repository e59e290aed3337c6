"""Paths from a certificate to a trust anchor (Section 3.6, RFC 4945 section 5, RFC 5280 section 6).

Paths are validated by the verifier of the cryptography package, with its web profile relaxed to what IKE uses: no
subjectAltName or extended key usage is demanded. Revocation is another matter, see `revocation`.

Departure D-3: an extended key usage for TLS servers or clients is accepted beside those of RFC 4945 section 5.1.3.12,
because certificates in the field have it.
Departure D-4: the package's verifier refuses every chain with EdDSA keys. These are walked here, signature by signature
with the package's own check of each; a name constraint in one is refused, not evaluated.
"""

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier, SignatureAlgorithmOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from ikeref.crypto.auth import MIN_RSA_BITS
from ikeref.errors import AuthenticationFailed

MAX_DEPTH = 8
"""Certificates between the peer's and the anchor, at most."""
MAX_CERTIFICATES = 16
"""CERT payloads that we look at, at most."""

UNREADABLE = (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
"""What the package raises for octets that are no certificate, some of it only when a part is asked for."""

Path = tuple[x509.Certificate, ...]
"""From the peer's certificate to the trust anchor, each issued by the next."""

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

T = TypeVar("T", bound=x509.ExtensionType)


def load(der: bytes) -> x509.Certificate:
    """A certificate of a peer. Serial numbers that are not positive are to be handled gracefully (RFC 5280 section
    4.1.2.2); the package would warn of them on the terminal. Raises one of `UNREADABLE`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def find_path(chain_der: Sequence[bytes], anchors: Sequence[x509.Certificate], now: datetime) -> Path:
    """The path from the first of these certificates to an anchor; the anchor alone where it is that certificate itself.

    The others help to find a path, in any order, and are trusted for nothing; those that can't be read are left out
    (Section 3.6, `7296-3.6-12`, `7296-3.6-13`). `now` is in some time zone. Raises `AuthenticationFailed`.
    """
    try:
        if not chain_der:
            raise failed("no certificate")
        if len(chain_der) > MAX_CERTIFICATES:
            raise failed(f"{len(chain_der)} certificates are too many")
        if not anchors:
            raise failed("no trust anchor is configured")
        leaf = load(chain_der[0])
        others = _readable(chain_der[1:])
        if any(_is_eddsa(certificate) for certificate in (leaf, *others)):
            _check_purpose(leaf)
            return _named(_walk(leaf, others, anchors, now.astimezone(UTC)))
        return _named(_verify(leaf, others, anchors, now))
    except VerificationError as error:
        raise failed(f"no valid path: {str(error)[:200]}") from None
    except (*UNREADABLE, UnsupportedAlgorithm):
        raise failed("a certificate cannot be read") from None


def _named(path: Path) -> Path:
    """The same path, whose names can all be read: the package reads them when they are asked for."""
    for each in path:
        _ = each.subject, each.issuer
    return path


def _readable(many_der: Sequence[bytes]) -> list[x509.Certificate]:
    found = []
    for der in many_der:
        try:
            certificate = load(der)
            _ = certificate.public_key(), certificate.subject, certificate.issuer
        except (*UNREADABLE, UnsupportedAlgorithm):
            continue
        found.append(certificate)
    return found


def _verify(
    leaf: x509.Certificate, others: list[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> Path:
    builder = PolicyBuilder().store(Store(list(anchors))).time(now).max_chain_depth(MAX_DEPTH)
    verifier = builder.extension_policies(ca_policy=_CA, ee_policy=_END_ENTITY).build_client_verifier()
    return tuple(verifier.verify(leaf, others).chain)


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
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise failed("key usage does not allow signatures")
    purposes = extension(leaf, x509.ExtendedKeyUsage)
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        raise failed("extended key usage does not allow IKE")


def _walk(
    leaf: x509.Certificate, others: list[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> Path:
    """Find a path from `leaf` to an anchor, the shortest first (RFC 5280 section 6.1, without name constraints).

    Each certificate is visited once, so the work is bounded by the square of `MAX_CERTIFICATES`.
    """
    defect = _defect(leaf, now)
    if defect:
        raise failed(defect)
    seen = {leaf}
    paths: list[Path] = [(leaf,)]
    for path in paths:  # grows while we walk
        certificate, below = path[-1], len(path) - 1
        if certificate in anchors:
            return path
        for issuer in (*anchors, *others):
            if issuer in seen or below == MAX_DEPTH or not _issued(certificate, issuer, below):
                continue
            if not _defect(issuer, now):
                seen.add(issuer)
                paths.append((*path, issuer))
    raise failed("no valid path to a trust anchor")


def _defect(certificate: x509.Certificate, now: datetime) -> str:
    """What disqualifies a certificate wherever it stands; empty if nothing."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "a certificate is not valid now"
    if not isinstance(certificate.signature_hash_algorithm, SHA256 | SHA384 | SHA512 | None):
        return "a certificate is signed over a weak hash"
    key = certificate.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"an RSA key of {key.key_size} bits is too short"
    for each in certificate.extensions:
        if each.critical and each.oid not in _UNDERSTOOD:
            return f"critical extension {each.oid.dotted_string} is not understood"
    return ""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether `issuer` may issue with `below` issuers under it (RFC 5280 section 4.2.1.9), and has issued this."""
    if issuer.subject != certificate.issuer:
        return False
    constraints = extension(issuer, x509.BasicConstraints)
    usage = extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or extension(issuer, x509.NameConstraints) is not None:
        return False
    if constraints.path_length is not None and constraints.path_length < below:
        return False
    return usage is not None and usage.key_cert_sign and signed_by(certificate, issuer)


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key of `issuer` signed the certificate, and the names agree."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    """An extension of a certificate; None where it has none of that kind."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_eddsa(certificate: x509.Certificate) -> bool:
    signed = certificate.signature_algorithm_oid in (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
    return signed or isinstance(certificate.public_key(), Ed25519PublicKey | Ed448PublicKey)


def failed(reason: str) -> AuthenticationFailed:
    """What is wrong with a peer's certificates."""
    return AuthenticationFailed(reason, section="2.15", field="CERT")
