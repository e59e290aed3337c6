"""A certification authority that lives as long as a test run, and end-entity certificates of it."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.unit.certificates.making import key_usage

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_DAY = datetime.timedelta(days=1)


class Credential(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    private_key: bytes


class Pki(NamedTuple):
    """The authority's certificate (PEM), and one credential for each name asked for."""

    authority: bytes
    credentials: dict[str, Credential]
    intermediate: bytes = b""
    """The certificate (PEM) of the authority below that, which signed them; empty where there is none."""


def make_pki(*names: str, kind: str = "ecdsa", rsa_bits: int = 2048, chain: bool = False) -> Pki:
    """An authority and, for each DNS name, a certificate with that name as subjectAltName.

    All keys are of one `kind`: `ecdsa` (P-256), `rsa` (of `rsa_bits`) or `ed25519`. With `chain` an authority below the
    first signs the certificates.
    """

    def new_key() -> Key:
        match kind:
            case "rsa":
                return rsa.generate_private_key(65537, rsa_bits)
            case "ed25519":
                return ed25519.Ed25519PrivateKey.generate()
            case _:
                return ec.generate_private_key(ec.SECP256R1())

    top_key, top_name = new_key(), _name("ikeref test authority")
    top = _authority(top_name, top_key, top_name, top_key, 1 if chain else 0)
    key, name, below = top_key, top_name, b""
    if chain:
        key, name = new_key(), _name("ikeref test authority below the first")
        below = _authority(name, key, top_name, top_key, 0)
    return Pki(top, {each: _credential(each, new_key(), name, key) for each in names}, below)


def _hash(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _authority(name: x509.Name, key: Key, issuer: x509.Name, issuer_key: Key, path_length: int) -> bytes:
    """The certificate (PEM) of an authority."""
    usage = key_usage("key_cert_sign", "crl_sign")
    return (
        _builder(name, issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, _hash(issuer_key))
        .public_bytes(Encoding.PEM)
    )


def _credential(name: str, key: Key, issuer: x509.Name, issuer_key: Key) -> Credential:
    certificate = (
        _builder(_name(name), issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature"), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, _hash(issuer_key))
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Credential(certificate.public_bytes(Encoding.PEM), pem)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 30 * _DAY)
    )
