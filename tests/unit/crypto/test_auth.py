"""AUTH: what is signed, how, and what must not verify (Sections 2.15 and 3.8, RFC 4754, RFC 7427, RFC 8420)."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ikeref.crypto.algorithm_identifiers import ENCODED, IDENTIFIERS
from ikeref.crypto.auth import (
    KEY_PAD,
    PrivateKey,
    shared_key_auth,
    sign,
    signed_octets,
    verify,
    verify_shared_key,
)
from ikeref.crypto.real import RealCrypto
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.registry import AuthMethod, HashAlgorithm, Prf

REAL = RealCrypto()
OCTETS = b"signed octets"
RSA = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, PrivateKey] = {
    "rsa": RSA,
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "brainpool": ec.generate_private_key(ec.BrainpoolP256R1()),
    "ed25519": Ed25519PrivateKey.generate(),
    "ed448": Ed448PrivateKey.generate(),
}
SHA2 = frozenset({HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512})
EVERY = SHA2 | {HashAlgorithm.IDENTITY}
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc" / "ecdsa.json").read_text())


def test_s2_15_signed_octets_are_message_nonce_and_mac_of_the_id() -> None:
    octets = signed_octets(REAL, Prf.HMAC_SHA2_256, b"message", b"nonce", b"sk_p", b"id")
    assert octets == b"messagenonce" + REAL.prf(Prf.HMAC_SHA2_256, b"sk_p", b"id")


def test_s2_15_shared_key_auth_pads_the_secret() -> None:
    assert len(KEY_PAD) == 17
    inner = REAL.prf(Prf.HMAC_SHA2_256, b"secret", b"Key Pad for IKEv2")
    data = shared_key_auth(REAL, Prf.HMAC_SHA2_256, b"secret", OCTETS)
    assert data == REAL.prf(Prf.HMAC_SHA2_256, inner, OCTETS)
    verify_shared_key(REAL, Prf.HMAC_SHA2_256, b"secret", OCTETS, data)


@pytest.mark.parametrize("secret", [b"", b"Secret", b"secret1", b"secre"])
def test_s2_15_another_secret_fails_without_showing_either(secret: bytes) -> None:
    data = shared_key_auth(REAL, Prf.HMAC_SHA2_256, b"secret", OCTETS)
    with pytest.raises(AuthenticationFailed) as caught:
        verify_shared_key(REAL, Prf.HMAC_SHA2_256, secret, OCTETS, data)
    assert "ecre" not in str(caught.value)
    for wrong in (b"", data[:-1], data + b"\0", bytes(32)):
        with pytest.raises(AuthenticationFailed):
            verify_shared_key(REAL, Prf.HMAC_SHA2_256, b"secret", OCTETS, wrong)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["curve"])
def test_rfc4754_vectors_verify(vector: dict[str, Any]) -> None:
    curve = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}[vector["curve"]]
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + bytes.fromhex(vector["public"]))
    verify(key, vector["method"], bytes.fromhex(vector["signature"]), b"abc")
    with pytest.raises(AuthenticationFailed):
        verify(key, vector["method"], bytes.fromhex(vector["signature"]), b"abd")


@pytest.mark.parametrize(
    ("name", "method", "size"),
    [
        ("rsa", AuthMethod.RSA_SIGNATURE, 256),
        ("p256", AuthMethod.ECDSA_SHA_256_P_256, 64),
        ("p384", AuthMethod.ECDSA_SHA_384_P_384, 96),
        ("p521", AuthMethod.ECDSA_SHA_512_P_521, 132),
    ],
)
def test_s3_8_old_methods_without_announced_hashes(name: str, method: int, size: int) -> None:
    key = KEYS[name]
    for _ in range(5):  # r and s of all sizes
        got, data = sign(key, OCTETS)
        assert (got, len(data)) == (method, size)
        verify(key.public_key(), got, data, OCTETS)
        verify(key.public_key(), got, data, OCTETS, frozenset())


@pytest.mark.parametrize("name", ["brainpool", "ed25519", "ed448"])
def test_rfc7427_other_keys_need_announced_hashes(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        sign(KEYS[name], OCTETS)


@pytest.mark.parametrize("hash", sorted(SHA2))
@pytest.mark.parametrize("name", ["rsa", "p256", "p384", "p521", "brainpool"])
@pytest.mark.parametrize("pss", [True, False])
def test_rfc7427_the_hash_is_one_that_the_peer_announced(name: str, hash: int, pss: bool) -> None:
    key = KEYS[name]
    method, data = sign(key, OCTETS, frozenset({hash}), pss=pss)
    kind = ("PSS" if pss else "PKCS1") if name == "rsa" else "ECDSA"
    assert method == AuthMethod.DIGITAL_SIGNATURE
    assert data.startswith(bytes((len(ENCODED[kind, hash]),)) + ENCODED[kind, hash])  # type: ignore[index]
    verify(key.public_key(), method, data, OCTETS)
    verify(key.public_key(), method, data, OCTETS, frozenset({hash}))
    with pytest.raises(AuthenticationFailed, match="was not announced"):
        verify(key.public_key(), method, data, OCTETS, EVERY - {hash})


@pytest.mark.parametrize(
    ("name", "hash"),
    [
        ("rsa", HashAlgorithm.SHA2_256),
        ("p256", HashAlgorithm.SHA2_256),
        ("p384", HashAlgorithm.SHA2_384),
        ("p521", HashAlgorithm.SHA2_512),
        ("ed25519", HashAlgorithm.IDENTITY),
        ("ed448", HashAlgorithm.IDENTITY),
    ],
)
def test_rfc7427_the_best_hash_for_a_key(name: str, hash: int) -> None:
    _, data = sign(KEYS[name], OCTETS, EVERY)
    assert IDENTIFIERS[data[1 : 1 + data[0]]].hash == hash


@pytest.mark.parametrize("name", ["ed25519", "ed448"])
def test_rfc8420_eddsa_needs_the_identity_hash(name: str) -> None:
    key = KEYS[name]
    method, data = sign(key, OCTETS, frozenset({HashAlgorithm.IDENTITY}))
    assert data[:8].hex() == {"ed25519": "07300506032b6570", "ed448": "07300506032b6571"}[name]
    verify(key.public_key(), method, data, OCTETS)
    with pytest.raises(LocalProtocolError):
        sign(key, OCTETS, SHA2)
    with pytest.raises(AuthenticationFailed):
        verify(key.public_key(), method, data, OCTETS, SHA2)


def test_rfc7427_once_hashes_were_announced_only_method_14_is_right() -> None:
    for name in ("rsa", "p256"):
        method, data = sign(KEYS[name], OCTETS)
        with pytest.raises(AuthenticationFailed, match="was not announced"):
            verify(KEYS[name].public_key(), method, data, OCTETS, SHA2)
        method, data = sign(KEYS[name], OCTETS, SHA2)
        with pytest.raises(AuthenticationFailed, match="was not announced"):
            verify(KEYS[name].public_key(), method, data, OCTETS, frozenset())


@pytest.mark.parametrize("hash", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_s3_8_method_1_takes_the_hash_that_the_signature_names(hash: hashes.HashAlgorithm) -> None:
    signature = RSA.sign(OCTETS, padding.PKCS1v15(), hash)
    verify(RSA.public_key(), AuthMethod.RSA_SIGNATURE, signature, OCTETS)


def test_s3_8_method_1_signs_with_sha1() -> None:
    _, data = sign(RSA, OCTETS)
    RSA.public_key().verify(data, OCTETS, padding.PKCS1v15(), hashes.SHA1())


def identified(text: str, signature: bytes) -> bytes:
    encoded = bytes.fromhex(text)
    return bytes((len(encoded),)) + encoded + signature


SHA256_RSA = "300d06092a864886f70d01010b0500"


def test_rfc7427_the_examples_of_its_appendix_are_known() -> None:
    """RFC 7427 appendices A.1 to A.4 and RFC 8420 appendix A, in whole."""
    for text in (
        "300d06092a864886f70d0101050500",
        SHA256_RSA,
        "300d06092a864886f70d01010c0500",
        "300d06092a864886f70d01010d0500",
        "300906072a8648ce3d0401",
        "300a06082a8648ce3d040302",
        "300a06082a8648ce3d040303",
        "300a06082a8648ce3d040304",
        "300d06092a864886f70d01010a3000",
        "303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a118301606092a864886f70d010108300906052b0e03021a0500"
        "a203020114a303020101",
        "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d060960864801"
        "65030402010500a203020120a303020101",
        "300506032b6570",
        "300506032b6571",
    ):
        assert bytes.fromhex(text) in IDENTIFIERS


@pytest.mark.parametrize(
    ("name", "hash", "text"),
    [
        ("rsa", HashAlgorithm.SHA2_256, SHA256_RSA),
        ("rsa", HashAlgorithm.SHA2_384, "300d06092a864886f70d01010c0500"),
        ("rsa", HashAlgorithm.SHA2_512, "300d06092a864886f70d01010d0500"),
        ("p256", HashAlgorithm.SHA2_256, "300a06082a8648ce3d040302"),
        ("p384", HashAlgorithm.SHA2_384, "300a06082a8648ce3d040303"),
        ("p521", HashAlgorithm.SHA2_512, "300a06082a8648ce3d040304"),
        ("ed25519", HashAlgorithm.IDENTITY, "300506032b6570"),
        ("ed448", HashAlgorithm.IDENTITY, "300506032b6571"),
    ],
)
def test_rfc7427_what_is_sent_is_encoded_as_specified(name: str, hash: int, text: str) -> None:
    """7427-3-03: the parameters of PKCS #1 are NULL, those of ECDSA and EdDSA absent (appendix A, RFC 8420)."""
    _, data = sign(KEYS[name], OCTETS, frozenset({hash}), pss=False)
    assert data[1 : 1 + data[0]].hex() == text


def test_rfc4055_parameters_of_rsa_may_be_null_or_absent() -> None:
    signature = RSA.sign(OCTETS, padding.PKCS1v15(), hashes.SHA256())
    for text in (SHA256_RSA, "300b06092a864886f70d01010b"):
        verify(RSA.public_key(), 14, identified(text, signature), OCTETS)


def test_rfc8247_sha1_counts_only_where_it_was_announced() -> None:
    signature = RSA.sign(OCTETS, padding.PKCS1v15(), hashes.SHA1())
    data = identified("300d06092a864886f70d0101050500", signature)
    with pytest.raises(AuthenticationFailed, match="SHA1 was not announced"):
        verify(RSA.public_key(), 14, data, OCTETS)
    verify(RSA.public_key(), 14, data, OCTETS, frozenset({HashAlgorithm.SHA1}))


def _mutations(data: bytes) -> list[bytes]:
    return [
        b"",
        bytes(len(data)),
        b"\xff" * len(data),
        data[:-1],
        data + b"\0",
        data[1:],
        data[:-1] + bytes((data[-1] ^ 1,)),
        bytes((data[0] ^ 0x80,)) + data[1:],
        data + data,
    ]


@pytest.mark.parametrize(
    ("name", "announced"),
    [(name, True) for name in KEYS] + [(name, False) for name in ("rsa", "p256", "p384", "p521")],
)
def test_s2_15_mutated_signatures_fail(name: str, announced: bool) -> None:
    key = KEYS[name]
    method, data = sign(key, OCTETS, EVERY if announced else frozenset())
    verify(key.public_key(), method, data, OCTETS)
    for mutated in _mutations(data):
        with pytest.raises(AuthenticationFailed):
            verify(key.public_key(), method, mutated, OCTETS)
    with pytest.raises(AuthenticationFailed):
        verify(key.public_key(), method, data, OCTETS[:-1])
    for other in range(16):
        if other != method:
            with pytest.raises(AuthenticationFailed):
                verify(key.public_key(), other, data, OCTETS)


@pytest.mark.parametrize("name", ["p256", "p384", "p521"])
def test_rfc4754_r_and_s_of_zero_or_out_of_range_fail(name: str) -> None:
    key = KEYS[name]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    method, data = sign(key, OCTETS)
    size, order = len(data) // 2, key.curve.group_order
    r, s = data[:size], data[size:]
    for bad in (
        bytes(size) + s,
        r + bytes(size),
        bytes(2 * size),
        order.to_bytes(size) + s,
        r + order.to_bytes(size),
        s + r,
        r,
        r + s + bytes(size),
        bytes(1) + r + bytes(1) + s,
        encode_dss_signature(int.from_bytes(r), int.from_bytes(s)),
    ):
        with pytest.raises(AuthenticationFailed):
            verify(key.public_key(), method, bad, OCTETS)


def test_rfc7427_ecdsa_values_of_zero_fail_in_der_as_well() -> None:
    key = KEYS["p256"]
    _, data = sign(key, OCTETS, EVERY)
    r, s = decode_dss_signature(data[1 + data[0] :])
    text = "300a06082a8648ce3d040302"
    verify(key.public_key(), 14, identified(text, encode_dss_signature(r, s)), OCTETS)
    for bad in (encode_dss_signature(0, s), encode_dss_signature(r, 0), encode_dss_signature(0, 0)):
        with pytest.raises(AuthenticationFailed):
            verify(key.public_key(), 14, identified(text, bad), OCTETS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "300d06092a864886f70d01010b05",  # cut
        "300d06092a864886f70d01010b0501",  # NULL that is none
        "30810d06092a864886f70d01010b0500",  # length in BER
        "300e06092a864886f70d01010b050000",  # trailing garbage inside
        "300d06092a864886f70d0101040500",  # MD5
        "300d06092a864886f70d01010c0500",  # another hash than that of the signature
        "300a06082a8648ce3d040302",  # ECDSA over an RSA key
        "300c06082a8648ce3d0403020500",  # ECDSA with NULL, which RFC 5758 forbids
        "300506032b6570",  # Ed25519 over an RSA key
    ],
)
def test_rfc7427_other_algorithm_identifiers_fail(text: str) -> None:
    signature = RSA.sign(OCTETS, padding.PKCS1v15(), hashes.SHA256())
    verify(RSA.public_key(), 14, identified(SHA256_RSA, signature), OCTETS)
    with pytest.raises(AuthenticationFailed):
        verify(RSA.public_key(), 14, identified(text, signature), OCTETS)


def test_rfc7427_the_length_octet_has_to_be_right() -> None:
    signature = RSA.sign(OCTETS, padding.PKCS1v15(), hashes.SHA256())
    data = identified(SHA256_RSA, signature)
    for length in (0, 14, 16, 255):
        with pytest.raises(AuthenticationFailed):
            verify(RSA.public_key(), 14, bytes((length,)) + data[1:], OCTETS)


def test_rfc7427_pss_with_another_salt_or_padding_fails() -> None:
    encoded = ENCODED["PSS", int(HashAlgorithm.SHA2_256)].hex()
    sha256 = hashes.SHA256()
    good = RSA.sign(OCTETS, padding.PSS(padding.MGF1(sha256), 32), sha256)
    verify(RSA.public_key(), 14, identified(encoded, good), OCTETS)
    for bad in (
        RSA.sign(OCTETS, padding.PSS(padding.MGF1(sha256), 20), sha256),
        RSA.sign(OCTETS, padding.PSS(padding.MGF1(hashes.SHA512()), 32), sha256),
        RSA.sign(OCTETS, padding.PKCS1v15(), sha256),
    ):
        with pytest.raises(AuthenticationFailed):
            verify(RSA.public_key(), 14, identified(encoded, bad), OCTETS)


def test_rfc8247_short_rsa_keys_fail() -> None:
    key = rsa.generate_private_key(65537, 1024)
    with pytest.raises(AuthenticationFailed, match="1024 bits"):
        verify(key.public_key(), *sign(key, OCTETS), OCTETS)
    with pytest.raises(AuthenticationFailed, match="1024 bits"):
        verify(key.public_key(), *sign(key, OCTETS, EVERY), OCTETS)


@pytest.mark.parametrize("method", [0, 2, 3, 12, 13, 200, 255, 65536])
def test_s3_8_methods_that_are_no_signatures_fail(method: int) -> None:
    with pytest.raises(AuthenticationFailed):
        verify(RSA.public_key(), method, b"x", OCTETS)


def test_rfc4754_an_ecdsa_method_belongs_to_its_curve() -> None:
    _, data = sign(KEYS["p256"], OCTETS)
    for method in (AuthMethod.ECDSA_SHA_384_P_384, AuthMethod.ECDSA_SHA_512_P_521):
        with pytest.raises(AuthenticationFailed, match="another curve"):
            verify(KEYS["p256"].public_key(), method, data, OCTETS)
    with pytest.raises(AuthenticationFailed, match="another curve"):
        verify(KEYS["brainpool"].public_key(), AuthMethod.ECDSA_SHA_256_P_256, data, OCTETS)
