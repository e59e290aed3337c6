"""Integrity algorithms and pseudorandom functions: HMAC, AES-XCBC, AES-CMAC (Sections 2.13 and 3.3.2).

Each is a function (key, data) -> octets. HMAC as in RFC 4868, the AES-based ones as in RFC 4434 and RFC 4615.
"""

from collections.abc import Callable
from hmac import digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from ikeref.registry import Integ, Prf

Function = Callable[[bytes, bytes], bytes]
"""(key, data) -> output. The arguments are octets; so is the result."""

_ZERO = bytes(16)


def hmac_sha1(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-1, 20 octets."""
    return digest(key, data, "sha1")


def hmac_sha2_256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256, 32 octets."""
    return digest(key, data, "sha256")


def hmac_sha2_384(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-384, 48 octets."""
    return digest(key, data, "sha384")


def hmac_sha2_512(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-512, 64 octets."""
    return digest(key, data, "sha512")


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC with a key of 16 octets, 16 octets."""
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def aes_xcbc(key: bytes, data: bytes) -> bytes:
    """AES-XCBC-MAC with a key of 16 octets, 16 octets, not truncated (RFC 4434 section 2)."""
    subkeys = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(b"\1" * 16 + b"\2" * 16 + b"\3" * 16)
    whole = max(0, (len(data) - 1) // 16) * 16
    last = data[whole:]
    if len(last) == 16:
        mask = subkeys[16:32]
    else:
        last = (last + b"\x80").ljust(16, b"\0")
        mask = subkeys[32:]
    masked = (int.from_bytes(last) ^ int.from_bytes(mask)).to_bytes(16)
    cbc = Cipher(algorithms.AES(subkeys[:16]), modes.CBC(_ZERO)).encryptor()
    return cbc.update(data[:whole] + masked)[-16:]


def prf_aes128_xcbc(key: bytes, data: bytes) -> bytes:
    """AES-XCBC-PRF-128 with a key of any size: short ones are padded, long ones hashed (RFC 4434 section 2)."""
    if len(key) != 16:
        key = key.ljust(16, b"\0") if len(key) < 16 else aes_xcbc(_ZERO, key)
    return aes_xcbc(key, data)


def prf_aes128_cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC-PRF-128 with a key of any size: all but 16 octets are hashed (RFC 4615 section 3)."""
    if len(key) != 16:
        key = aes_cmac(_ZERO, key)
    return aes_cmac(key, data)


PRF_FUNCTIONS: dict[int, Function] = {
    int(Prf.HMAC_SHA1): hmac_sha1,
    int(Prf.AES128_XCBC): prf_aes128_xcbc,
    int(Prf.HMAC_SHA2_256): hmac_sha2_256,
    int(Prf.HMAC_SHA2_384): hmac_sha2_384,
    int(Prf.HMAC_SHA2_512): hmac_sha2_512,
    int(Prf.AES128_CMAC): prf_aes128_cmac,
}

INTEGRITY_FUNCTIONS: dict[int, tuple[Function, int]] = {
    int(Integ.HMAC_SHA1_96): (hmac_sha1, 12),
    int(Integ.AES_XCBC_96): (aes_xcbc, 12),
    int(Integ.AES_CMAC_96): (aes_cmac, 12),
    int(Integ.HMAC_SHA2_256_128): (hmac_sha2_256, 16),
    int(Integ.HMAC_SHA2_384_192): (hmac_sha2_384, 24),
    int(Integ.HMAC_SHA2_512_256): (hmac_sha2_512, 32),
}
"""The function, and how many of its first octets are the ICV."""
