"""Encryption algorithms against vectors, and against their definitions (Section 3.14, RFC 5282, RFC 7634)."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ikeref.crypto.ciphers import CIPHERS, LEGACY_CIPHERS, NULL_CIPHERS
from ikeref.crypto.transforms import ENCRYPTION, encryption_key_size, is_aead
from ikeref.errors import LocalProtocolError
from ikeref.registry import Encr

ALL = CIPHERS | LEGACY_CIPHERS | NULL_CIPHERS


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b))


def ccm(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes, tag: int) -> bytes:
    """CCM from its definition (RFC 3610), for nonces of 11 octets."""
    first = bytes((64 * bool(associated) + 8 * ((tag - 2) // 2) + 3,)) + nonce + len(plaintext).to_bytes(4)
    header = len(associated).to_bytes(2) + associated if associated else b""
    mac = bytes(16)
    for part in (first, header, plaintext):
        for start in range(0, len(part), 16):
            mac = aes(key, xor(mac, part[start : start + 16].ljust(16, b"\0")))
    stream = b"".join(aes(key, b"\3" + nonce + n.to_bytes(4)) for n in range(len(plaintext) // 16 + 2))
    return xor(plaintext, stream[16:]) + xor(mac, stream)[:tag]


def ghash_gcm(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """GCM from its definition (NIST SP 800-38D), for nonces of 12 octets."""
    h = int.from_bytes(aes(key, bytes(16)))

    def times_h(x: int) -> int:
        product, v = 0, h
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return product

    stream = b"".join(aes(key, nonce + n.to_bytes(4)) for n in range(1, len(plaintext) // 16 + 3))
    ciphertext = xor(plaintext, stream[16:])
    y = 0
    sizes = (8 * len(associated)).to_bytes(8) + (8 * len(ciphertext)).to_bytes(8)
    for part in (associated, ciphertext, sizes):
        for start in range(0, len(part), 16):
            y = times_h(y ^ int.from_bytes(part[start : start + 16].ljust(16, b"\0")))
    return ciphertext + xor(y.to_bytes(16), stream)


PLAINTEXTS = [b"", b"\0", bytes(range(15)), bytes(range(16)), bytes(range(77))]


@pytest.mark.parametrize("plaintext", PLAINTEXTS, ids=len)
@pytest.mark.parametrize(("encr", "tag"), [(Encr.AES_CCM_8, 8), (Encr.AES_CCM_12, 12), (Encr.AES_CCM_16, 16)])
@pytest.mark.parametrize("key_size", [16, 24, 32])
def test_rfc5282_ccm_is_as_defined(encr: int, tag: int, key_size: int, plaintext: bytes) -> None:
    key, salt, iv, associated = bytes(range(key_size)), b"abc", b"12345678", bytes(range(32))
    sealed = CIPHERS[encr].seal(key + salt, iv, plaintext, associated)
    assert sealed == ccm(key, salt + iv, plaintext, associated, tag)


@pytest.mark.parametrize("plaintext", PLAINTEXTS, ids=len)
@pytest.mark.parametrize(("encr", "tag"), [(Encr.AES_GCM_8, 8), (Encr.AES_GCM_12, 12), (Encr.AES_GCM_16, 16)])
def test_rfc5282_gcm_is_as_defined(encr: int, tag: int, plaintext: bytes) -> None:
    key, salt, iv, associated = bytes(range(32)), b"abcd", b"12345678", bytes(range(33))
    sealed = CIPHERS[encr].seal(key + salt, iv, plaintext, associated)
    whole = ghash_gcm(key, salt + iv, plaintext, associated)
    assert sealed == whole[: len(plaintext) + tag]


@pytest.mark.parametrize(
    ("key", "salt", "iv", "plaintext", "ciphertext"),
    [
        (
            "ae6852f8121067cc4bf7a5765577f39e",
            "00000030",
            "0000000000000000",
            "53696e676c6520626c6f636b206d7367",
            "e4095d4fb7a7b3792d6175a3261311b8",
        ),
        (
            "7e24067817fae0d743d6ce1f32539163",
            "006cb6db",
            "c0543b59da48d90b",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28",
        ),
    ],
)
def test_rfc3686_ctr_vectors(key: str, salt: str, iv: str, plaintext: str, ciphertext: str) -> None:
    arguments = (bytes.fromhex(key + salt), bytes.fromhex(iv))
    assert CIPHERS[Encr.AES_CTR].seal(*arguments, bytes.fromhex(plaintext), b"").hex() == ciphertext
    assert CIPHERS[Encr.AES_CTR].open(*arguments, bytes.fromhex(ciphertext), b"").hex() == plaintext


def test_rfc3602_cbc_vector() -> None:
    key, iv = bytes.fromhex("06a9214036b8a15b512e03d534120006"), bytes.fromhex("3dafba429d9eb430b422da802c9fac41")
    sealed = CIPHERS[Encr.AES_CBC].seal(key, iv, b"Single block msg", b"")
    assert sealed.hex() == "e353779c1079aeb82708942dbe77181a"


def test_rfc7634_the_ikev2_example() -> None:
    key = bytes(range(0x80, 0xA4))
    associated = bytes.fromhex("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029")
    plaintext = bytes.fromhex("0000000c000040010000000a00")
    sealed = CIPHERS[Encr.CHACHA20_POLY1305].seal(key, bytes(range(0x10, 0x18)), plaintext, associated)
    assert sealed.hex() == "610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2"


@pytest.mark.parametrize("encr", [encr for encr in ALL if is_aead(encr)])
def test_s3_14_aead_refuses_every_change(encr: int) -> None:
    key = bytes(range(encryption_key_size(encr, 0 if encr == Encr.CHACHA20_POLY1305 else 256)))
    cipher, iv = ALL[encr], b"12345678"
    sealed = cipher.seal(key, iv, b"plaintext", b"associated")
    assert cipher.open(key, iv, sealed, b"associated") == b"plaintext"
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 0x80
        with pytest.raises(InvalidTag):
            cipher.open(key, iv, bytes(changed), b"associated")
    with pytest.raises(InvalidTag):
        cipher.open(key, iv, sealed, b"Associated")
    with pytest.raises(InvalidTag):
        cipher.open(key, b"12345679", sealed, b"associated")
    with pytest.raises(InvalidTag):
        cipher.open(key[:-1] + b"\xff", iv, sealed, b"associated")


@pytest.mark.parametrize("encr", list(ALL))
def test_s3_3_2_functions_and_sizes_agree(encr: int) -> None:
    functions, sizes = ALL[encr], ENCRYPTION[encr]
    assert (functions.iv, functions.icv, functions.block) == (sizes.iv, sizes.icv, sizes.block)
    for bits in sizes.key_bits:
        key = bytes(range(encryption_key_size(encr, 0 if sizes.fixed else bits)))
        plaintext = bytes(48)
        sealed = functions.seal(key, bytes(sizes.iv), plaintext, b"a")
        assert len(sealed) == len(plaintext) + sizes.icv
        assert functions.open(key, bytes(sizes.iv), sealed, b"a") == plaintext


@pytest.mark.parametrize(
    ("encr", "bits", "octets"),
    [
        (Encr.AES_GCM_16, 256, 36),
        (Encr.AES_CCM_8, 128, 19),
        (Encr.AES_CBC, 192, 24),
        (Encr.AES_CTR, 128, 20),
        (Encr.CHACHA20_POLY1305, 0, 36),
        (Encr.CHACHA20_POLY1305, 256, 36),
        (Encr.TRIPLE_DES, 0, 24),
        (Encr.NULL, 0, 0),
        (0, 0, 0),
    ],
)
def test_s2_13_key_sizes_include_the_salt(encr: int, bits: int, octets: int) -> None:
    assert encryption_key_size(encr, bits) == octets


@pytest.mark.parametrize(("encr", "bits"), [(Encr.AES_CBC, 0), (Encr.AES_CBC, 100), (Encr.CHACHA20_POLY1305, 128)])
def test_s3_3_5_key_lengths_that_do_not_exist_are_refused(encr: int, bits: int) -> None:
    with pytest.raises(LocalProtocolError, match="has no key of"):
        encryption_key_size(encr, bits)


def test_s3_3_2_unknown_ciphers_are_named() -> None:
    with pytest.raises(LocalProtocolError, match="KUZNYECHIK"):
        encryption_key_size(Encr.KUZNYECHIK_MGM_KTREE, 0)
