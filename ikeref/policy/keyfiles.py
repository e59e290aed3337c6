"""Certificates and private keys from files, PEM or DER (Section 3.6)."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikeref.crypto.auth import PrivateKey
from ikeref.crypto.certificates import (
    load_certificates,
    load_private_key,
    load_public_key,
    public_key_info,
    to_der,
)
from ikeref.crypto.revocation import read_responses
from ikeref.errors import LocalProtocolError


def read_certificates(path: Path) -> tuple[bytes, ...]:
    """DER of all certificates of a file, in its order; ValueError says what is wrong with the file."""
    try:
        return tuple(to_der(certificate) for certificate in load_certificates(_read(path)))
    except LocalProtocolError:
        raise ValueError(f"{path} holds no certificate in PEM or DER") from None


def read_key(path: Path) -> PrivateKey:
    """The private key of a file, RSA, ECDSA, Ed25519 or Ed448; ValueError says what is wrong with the file."""
    try:
        return load_private_key(_read(path))
    except LocalProtocolError:
        raise ValueError(
            f"{path} holds no RSA, ECDSA, Ed25519 or Ed448 key in PEM or DER (one with a password can't be read)"
        ) from None


def read_public_key(path: Path) -> bytes:
    """The SubjectPublicKeyInfo in DER of a public key, PEM or DER; ValueError says what is wrong with the file."""
    try:
        return public_key_info(load_public_key(_read(path)))
    except LocalProtocolError:
        raise ValueError(f"{path} holds no RSA, ECDSA, Ed25519 or Ed448 public key in PEM or DER") from None


def read_crl(path: Path) -> bytes:
    """The CRL of a file in DER; ValueError says what is wrong with the file."""
    octets = _read(path)
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in octets else x509.load_der_x509_crl
        return load(octets).public_bytes(Encoding.DER)
    except ValueError:
        raise ValueError(f"{path} holds no CRL in PEM or DER") from None


def read_response(path: Path) -> bytes:
    """The OCSP response of a file, DER; ValueError says what is wrong with the file."""
    octets = _read(path)
    if not read_responses((octets,)):
        raise ValueError(f"{path} holds no successful OCSP response in DER")
    return octets


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
