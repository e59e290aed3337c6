"""Reading keys, certificates and passwords that a configuration names; no complaint shows one."""

import base64
import binascii
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography import x509

from ikeref.policy.credentials import PrivateKey, Secret
from ikeref.policy.keyfiles import read_certificates, read_key, read_public_key
from ikeref.policy.tables import Table


def private_key(table: Table, base: Path) -> PrivateKey:
    """`key`, and `certificates`, of which the first is of that key."""
    key_file, chain_files = table.text("key"), table.texts("certificates")
    key = table.read("key", lambda name: read_key(base / name))
    assert key is not None
    chain = certificates(table, "certificates", chain_files, base)
    if chain and x509.load_der_x509_certificate(chain[0]).public_key() != key.public_key():
        raise table.fail("certificates", f"the first certificate, in {chain_files[0]}, is not of the key in {key_file}")
    return PrivateKey(key, chain)


def certificates(table: Table, key: str, files: Iterable[str], base: Path) -> tuple[bytes, ...]:
    """DER of all certificates in those files."""
    try:
        return tuple(der for name in files for der in read_certificates(base / name))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def public_key(table: Table, key: str, base: Path, file: str) -> bytes:
    """The SubjectPublicKeyInfo in a file (RFC 7670)."""
    try:
        return read_public_key(base / file)
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def statements(table: Table, key: str, base: Path, reader: Callable[[Path], bytes]) -> tuple[bytes, ...]:
    """DER of all CRLs, or OCSP responses, in the files that a key names."""
    try:
        return tuple(reader(base / name) for name in table.texts(key))
    except ValueError as error:
        raise table.fail(key, str(error)) from None


def secret(text: str) -> Secret:
    """Text as it is, `0x` and hexadecimal, or `0s` and base64. What is wrong is told without showing it."""
    try:
        if text.startswith("0x"):
            return Secret(bytes.fromhex(text[2:]))
        if text.startswith("0s"):
            return Secret(base64.b64decode(text[2:], validate=True))
    except (ValueError, binascii.Error):
        kind = "hexadecimal digits" if text.startswith("0x") else "base64"
        raise ValueError(f"after {text[:2]} {kind} must follow") from None
    return Secret(text.encode("utf-8"))
