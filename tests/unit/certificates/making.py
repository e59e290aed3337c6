"""Certificates, CRLs and OCSP responses made for tests; a day old, and good for thirty days unless told otherwise."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class Made(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def new_key(kind: str = "ecdsa") -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(
    name: str,
    issuer: Made | None = None,
    *,
    ca: bool = False,
    key: Key | None = None,
    names: Iterable[x509.GeneralName] | None = None,
    start: datetime = NOW - DAY,
    end: datetime = NOW + 30 * DAY,
    usage: tuple[str, ...] | None = None,
    extensions: Iterable[x509.ExtensionType] = (),
) -> Made:
    """A certificate; without `issuer` it is signed by its own key. `names`: else the name as a DNS name."""
    key = key or new_key()
    signer = issuer.key if issuer else key
    usage = usage or (("key_cert_sign", "crl_sign") if ca else ("digital_signature",))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(name))
        .issuer_name(issuer.certificate.subject if issuer else name_of(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(key_usage(*usage), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    if not ca:
        held = [x509.DNSName(name)] if names is None else list(names)
        builder = builder.add_extension(x509.SubjectAlternativeName(held), False) if held else builder
    for each in extensions:
        builder = builder.add_extension(each, False)
    return Made(builder.sign(signer, _hash(signer)), key)


def key_usage(*allowed: str) -> x509.KeyUsage:
    """A key for these uses, named as the package does."""
    return x509.KeyUsage(**{use: use in allowed for use in _USES})


_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _hash(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()


def crl(
    issuer: Made,
    *revoked: Made,
    at: datetime = NOW - DAY,
    until: datetime = NOW + DAY,
    signer: Key | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A CRL in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at)
        .next_update(until)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
        .add_extension(x509.CRLNumber(int(at.timestamp())), False)
    )
    for each, critical in extensions:
        builder = builder.add_extension(each, critical)
    for made in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(made.certificate.serial_number)
            .revocation_date(at)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False)
            .build()
        )
        builder = builder.add_revoked_certificate(entry)
    key = signer or issuer.key
    return builder.sign(key, _hash(key)).public_bytes(Encoding.DER)


def response(
    of: Made,
    issuer: Made,
    *,
    by: Made | None = None,
    revoked: bool = False,
    at: datetime = NOW - timedelta(hours=2),
    until: datetime | None = NOW + DAY,
    **options: Any,
) -> bytes:
    """An OCSP response in DER, signed by the issuer unless `by` somebody else, whose certificate is then in it.

    `options`: `key` signs in place of the responder's, `unknown`, `silent` (no certificate in it).
    """
    responder = by or issuer
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=of.certificate,
            issuer=issuer.certificate,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.UNKNOWN if options.get("unknown") else status,
            this_update=at,
            next_update=until,
            revocation_time=at if revoked else None,
            revocation_reason=None,
        )
        .responder_id(*_responder_id(responder, options.get("key")))
    )
    if by is not None and not options.get("silent"):
        builder = builder.certificates([by.certificate])
    key = options.get("key", responder.key)
    return builder.sign(key, _hash(key)).public_bytes(Encoding.DER)


def _responder_id(responder: Made, forger: Key | None) -> tuple[ocsp.OCSPResponderEncoding, x509.Certificate]:
    """By the hash of its key; a forger takes its name."""
    if forger is None:
        return ocsp.OCSPResponderEncoding.HASH, responder.certificate
    (common,) = responder.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return ocsp.OCSPResponderEncoding.NAME, certificate(str(common.value), key=forger).certificate


OCSP_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
