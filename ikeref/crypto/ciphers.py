"""Encryption algorithms of the Encrypted payload (Sections 3.3.2 and 3.14, RFC 5282, RFC 7634).

`7296-3.14-04`, `7296-3.14-12`.

Each is a pair of functions: seal (key, iv, plaintext, associated) -> ciphertext | ICV, and open, its inverse, which
raises `InvalidTag`. `key` is SK_e whole, salt last. Algorithms without an ICV of their own ignore `associated`. No
OpenSSL context outlives the call: keys are octets, and an IKE SA stays small.
"""

from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ikeref.registry import Encr

Transformation = Callable[[bytes, bytes, bytes, bytes], bytes]
"""(SK_e, iv, octets, associated) -> octets."""


class CipherFunctions(NamedTuple):
    """What an encryption algorithm does; its sizes are in `transforms.ENCRYPTION`."""

    seal: Transformation
    open: Transformation
    iv: int
    icv: int
    """0: not an AEAD cipher."""
    block: int


def _gcm_16_seal(key: bytes, iv: bytes, plaintext: bytes, associated: bytes) -> bytes:
    return AESGCM(key[:-4]).encrypt(key[-4:] + iv, plaintext, associated)


def _gcm_16_open(key: bytes, iv: bytes, sealed: bytes, associated: bytes) -> bytes:
    return AESGCM(key[:-4]).decrypt(key[-4:] + iv, sealed, associated)


def _gcm_short(icv: int) -> tuple[Transformation, Transformation]:
    """AES-GCM with an ICV of 8 or 12 octets: the first octets of the whole tag (RFC 5282 section 4)."""

    def seal(key: bytes, iv: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return _gcm_16_seal(key, iv, plaintext, associated)[: icv - 16]

    def open(key: bytes, iv: bytes, sealed: bytes, associated: bytes) -> bytes:
        mode = modes.GCM(key[-4:] + iv, sealed[-icv:], min_tag_length=icv)
        context = Cipher(algorithms.AES(key[:-4]), mode).decryptor()
        context.authenticate_additional_data(associated)
        return context.update(sealed[:-icv]) + context.finalize()

    return seal, open


def _ccm(icv: int) -> tuple[Transformation, Transformation]:
    """AES-CCM: the salt has 3 octets, the nonce 11 (RFC 5282 section 4)."""

    def seal(key: bytes, iv: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return AESCCM(key[:-3], icv).encrypt(key[-3:] + iv, plaintext, associated)

    def open(key: bytes, iv: bytes, sealed: bytes, associated: bytes) -> bytes:
        return AESCCM(key[:-3], icv).decrypt(key[-3:] + iv, sealed, associated)

    return seal, open


def _chacha20_poly1305_seal(key: bytes, iv: bytes, plaintext: bytes, associated: bytes) -> bytes:
    return ChaCha20Poly1305(key[:-4]).encrypt(key[-4:] + iv, plaintext, associated)


def _chacha20_poly1305_open(key: bytes, iv: bytes, sealed: bytes, associated: bytes) -> bytes:
    return ChaCha20Poly1305(key[:-4]).decrypt(key[-4:] + iv, sealed, associated)


def _cbc_seal(key: bytes, iv: bytes, plaintext: bytes, _: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(plaintext)


def _cbc_open(key: bytes, iv: bytes, ciphertext: bytes, _: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(ciphertext)


def _ctr(key: bytes, iv: bytes, octets: bytes, _: bytes) -> bytes:
    """AES-CTR, both ways; the counter block is salt | IV | a block counter that starts at 1."""
    return Cipher(algorithms.AES(key[:-4]), modes.CTR(key[-4:] + iv + b"\0\0\0\1")).encryptor().update(octets)


def _triple_des_seal(key: bytes, iv: bytes, plaintext: bytes, _: bytes) -> bytes:
    return Cipher(TripleDES(key), modes.CBC(iv)).encryptor().update(plaintext)


def _triple_des_open(key: bytes, iv: bytes, ciphertext: bytes, _: bytes) -> bytes:
    return Cipher(TripleDES(key), modes.CBC(iv)).decryptor().update(ciphertext)


def _null(_key: bytes, _iv: bytes, octets: bytes, _: bytes) -> bytes:
    return octets


CIPHERS: dict[int, CipherFunctions] = {
    int(Encr.AES_CBC): CipherFunctions(_cbc_seal, _cbc_open, iv=16, icv=0, block=16),
    int(Encr.AES_CTR): CipherFunctions(_ctr, _ctr, iv=8, icv=0, block=1),
    int(Encr.AES_CCM_8): CipherFunctions(*_ccm(8), iv=8, icv=8, block=1),
    int(Encr.AES_CCM_12): CipherFunctions(*_ccm(12), iv=8, icv=12, block=1),
    int(Encr.AES_CCM_16): CipherFunctions(*_ccm(16), iv=8, icv=16, block=1),
    int(Encr.AES_GCM_8): CipherFunctions(*_gcm_short(8), iv=8, icv=8, block=1),
    int(Encr.AES_GCM_12): CipherFunctions(*_gcm_short(12), iv=8, icv=12, block=1),
    int(Encr.AES_GCM_16): CipherFunctions(_gcm_16_seal, _gcm_16_open, iv=8, icv=16, block=1),
    int(Encr.CHACHA20_POLY1305): CipherFunctions(
        _chacha20_poly1305_seal, _chacha20_poly1305_open, iv=8, icv=16, block=1
    ),
}

LEGACY_CIPHERS: dict[int, CipherFunctions] = {
    int(Encr.TRIPLE_DES): CipherFunctions(_triple_des_seal, _triple_des_open, iv=8, icv=0, block=8),
}
"""Only on request (RFC 8247 section 2.1: MAY)."""

NULL_CIPHERS: dict[int, CipherFunctions] = {
    int(Encr.NULL): CipherFunctions(_null, _null, iv=0, icv=0, block=1),
}
"""Only for a glass box in which everybody sees the plaintext (RFC 8247 section 2.1: MUST NOT)."""
