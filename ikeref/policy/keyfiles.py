"""Certificates and private keys from files, PEM or DER (Section 3.6)."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from ikeref.policy.credentials import SigningKey


def read_certificates(path: Path) -> tuple[bytes, ...]:
    """DER of all certificates of a file, in its order; ValueError says what is wrong with the file."""
    octets = _read(path)
    try:
        if b"-----BEGIN" in octets:
            found = x509.load_pem_x509_certificates(octets)
        else:
            found = [x509.load_der_x509_certificate(octets)]
    except ValueError:
        raise ValueError(f"{path} holds no certificate in PEM or DER") from None
    return tuple(certificate.public_bytes(serialization.Encoding.DER) for certificate in found)


def read_key(path: Path) -> SigningKey:
    """The private key of a file (RSA, ECDSA, Ed25519 or Ed448, not encrypted); ValueError says what is wrong with the
    file.
    """
    octets = _read(path)
    try:
        if b"-----BEGIN" in octets:
            key = serialization.load_pem_private_key(octets, None)
        else:
            key = serialization.load_der_private_key(octets, None)
    except TypeError:
        raise ValueError(
            f"{path} is encrypted; store the key without a password, readable by its owner alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no private key in PEM or DER") from None
    if isinstance(
        key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
    ):
        return key
    raise ValueError(
        f"{path} holds a key of a kind that IKEv2 does not sign with here (RSA, ECDSA, Ed25519 and Ed448 do)"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
