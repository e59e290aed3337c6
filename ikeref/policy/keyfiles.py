"""Certificates and private keys from files, PEM or DER (Section 3.6)."""

from pathlib import Path

from ikeref.crypto.auth import PrivateKey
from ikeref.crypto.certificates import load_certificates, load_private_key, to_der
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
