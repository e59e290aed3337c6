"""Signatures and keys that a careless verifier would take, by every authentication method (Sections 2.15 and 3.8).

Each is a regression test for what happened to some daemon; CVE numbers say to which kind.
"""

from collections.abc import Callable
from hashlib import sha1, sha256
from itertools import product
from types import MappingProxyType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from ikeref_properties.network import A, B

from ikeref.crypto import auth, der
from ikeref.crypto.algorithm_identifiers import ENCODED
from ikeref.crypto.certificates import load_public_key
from ikeref.crypto.real import RealCrypto
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.registry import AuthMethod, HashAlgorithm
from tests.unit.certificates import scene
from tests.unit.certificates.making import Made, certificate
from tests.unit.certificates.scene import BELOW, NAMES, own

OCTETS = b"what is signed"
RSA = rsa.generate_private_key(65537, 2048)
CUBE = rsa.generate_private_key(3, 2048)
SIZE = 256
SHA2 = int(HashAlgorithm.SHA2_256)


def prefix(kind: str, hash: int = SHA2) -> bytes:
    """Length and AlgorithmIdentifier in front of a signature of method 14 (RFC 7427 section 3)."""
    encoded = ENCODED[kind, hash]  # type: ignore[index]
    return bytes((len(encoded),)) + encoded


class Method:
    """A way to authenticate: what stands in front of its signatures, and how long they are."""

    def __init__(self, key: auth.PrivateKey, number: int, front: bytes = b"") -> None:
        self.key, self.number, self.front = key, number, front
        _, data = auth.sign(key, OCTETS, frozenset(HashAlgorithm) if front else frozenset(), pss=b"\x01\x0a" in front)
        self.good = data[len(front) :]

    def accepts(self, signature: bytes) -> bool:
        try:
            auth.verify(self.key.public_key(), self.number, self.front + signature, OCTETS)
        except AuthenticationFailed:
            return False
        return True


CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
ECDSA_KEYS = [ec.generate_private_key(curve) for curve in CURVES]
METHODS = {
    "RSA signature": Method(RSA, AuthMethod.RSA_SIGNATURE),
    "ECDSA-256": Method(ECDSA_KEYS[0], AuthMethod.ECDSA_SHA_256_P_256),
    "ECDSA-384": Method(ECDSA_KEYS[1], AuthMethod.ECDSA_SHA_384_P_384),
    "ECDSA-521": Method(ECDSA_KEYS[2], AuthMethod.ECDSA_SHA_512_P_521),
    "RSASSA-PSS": Method(RSA, AuthMethod.DIGITAL_SIGNATURE, prefix("PSS")),
    "RSASSA-PKCS1": Method(RSA, AuthMethod.DIGITAL_SIGNATURE, prefix("PKCS1")),
    "ECDSA in DER": Method(ECDSA_KEYS[0], AuthMethod.DIGITAL_SIGNATURE, prefix("ECDSA")),
    "Ed25519": Method(Ed25519PrivateKey.generate(), AuthMethod.DIGITAL_SIGNATURE, prefix("Ed25519", 5)),
    "Ed448": Method(Ed448PrivateKey.generate(), AuthMethod.DIGITAL_SIGNATURE, prefix("Ed448", 5)),
}

BAD: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one zero": lambda _: b"\0",
    "all zero": lambda good: bytes(len(good)),
    "one": lambda good: bytes(len(good) - 1) + b"\1",
    "all ones": lambda good: b"\xff" * len(good),
    "first half zero": lambda good: bytes(len(good) // 2) + good[len(good) // 2 :],
    "second half zero": lambda good: good[: len(good) // 2] + bytes(len(good) - len(good) // 2),
    "an octet short": lambda good: good[:-1],
    "an octet short in front": lambda good: good[1:],
    "a zero in front": lambda good: b"\0" + good,
    "a zero behind": lambda good: good + b"\0",
    "garbage behind": lambda good: good + b"garbage",
    "twice": lambda good: good + good,
    "a bit changed": lambda good: good[:-1] + bytes([good[-1] ^ 1]),
    "much too long": lambda _: b"\1" * 70000,
}


@pytest.mark.parametrize(("method", "kind"), list(product(METHODS, BAD)))
def test_cve_2013_2944_signatures_of_nothing(method: str, kind: str) -> None:
    """CVE-2013-2944: empty and zero signatures were accepted. `first half zero` is r = 0, the second s = 0."""
    tried = METHODS[method]
    assert tried.accepts(tried.good)
    assert not tried.accepts(BAD[kind](tried.good))


@pytest.mark.parametrize(("method", "kind"), [(AuthMethod.SHARED_KEY, kind) for kind in BAD])
def test_s2_15_macs_of_nothing(method: int, kind: str) -> None:
    """The same for shared keys: AUTH has the length of the PRF's output and no other."""
    crypto, prf = RealCrypto(), 5
    good = auth.shared_key_auth(crypto, prf, b"secret", OCTETS)
    auth.verify_shared_key(crypto, prf, b"secret", OCTETS, good)
    assert method == AuthMethod.SHARED_KEY
    with pytest.raises(AuthenticationFailed):
        auth.verify_shared_key(crypto, prf, b"secret", OCTETS, BAD[kind](good))


ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}


@pytest.mark.parametrize("r", [0, 1, ORDERS["secp256r1"]])
@pytest.mark.parametrize("s", [0, 1, ORDERS["secp256r1"]])
def test_cve_2013_2944_r_and_s_at_their_bounds(r: int, s: int) -> None:
    assert not METHODS["ECDSA in DER"].accepts(encode_dss_signature(r, s))
    assert not METHODS["ECDSA-256"].accepts(r.to_bytes(32) + s.to_bytes(32))


# PKCS #1 v1.5: the padded digest has to be right to the last octet

SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def cube_root(number: int) -> int:
    """The least integer whose cube is not smaller."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def lax(key: rsa.RSAPublicKey, signature: bytes, info: bytes, digest: bytes) -> bool:
    """A verifier that looks no farther than the digest, as several did: the twin that such forgeries deceive."""
    numbers = key.public_numbers()
    block = pow(int.from_bytes(signature), numbers.e, numbers.n).to_bytes(SIZE)
    _, zero, rest = block[2:].lstrip(b"\xff").partition(b"\0")
    return block[:2] == b"\0\1" and zero == b"\0" and rest.startswith(info + digest)


@pytest.mark.parametrize("ones", [1, 8])
@pytest.mark.parametrize(("info", "digest"), [(SHA1_INFO, sha1), (SHA256_INFO, sha256)], ids=["SHA-1", "SHA-256"])
def test_cve_2018_16151_a_low_exponent_needs_no_private_key_where_garbage_may_follow(
    ones: int, info: bytes, digest: Callable[[bytes], object]
) -> None:
    """CVE-2018-16151, CVE-2026-50721: with e = 3 a cube root forges what has room for garbage behind the digest."""
    hashed = digest(OCTETS).digest()  # type: ignore[attr-defined]
    start = b"\0\1" + b"\xff" * ones + b"\0" + info + hashed
    forged = cube_root(int.from_bytes(start + bytes(SIZE - len(start)))).to_bytes(SIZE)
    key = CUBE.public_key()
    assert lax(key, forged, info, hashed)
    for method, front in ((AuthMethod.RSA_SIGNATURE, b""), (AuthMethod.DIGITAL_SIGNATURE, prefix("PKCS1"))):
        with pytest.raises(AuthenticationFailed):
            auth.verify(key, method, front + forged, OCTETS)


def raw_signature(block: bytes) -> bytes:
    """What the private key makes of any block."""
    numbers = CUBE.private_numbers()
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(SIZE)


def padded(info: bytes, *, ones: int | None = None, behind: bytes = b"") -> bytes:
    count = SIZE - 3 - len(info) - len(behind) if ones is None else ones
    block = b"\0\1" + b"\xff" * count + b"\0" + info + behind
    return block + bytes(SIZE - len(block))


DIGEST = sha256(OCTETS).digest()
BLOCKS = MappingProxyType(
    {
        "no parameters": padded(bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST),
        "garbage as parameters": padded(
            bytes.fromhex("303b301706096086480165030402010c0a") + b"0123456789" + b"\x04\x20" + DIGEST
        ),
        "garbage behind": padded(SHA256_INFO + DIGEST, behind=b"garbage"),
        "garbage in the digest": padded(b"\x30\x35" + SHA256_INFO[2:-1] + b"\x24" + DIGEST + b"junk"),
        "a long length": padded(b"\x30\x81\x31" + SHA256_INFO[2:] + DIGEST),
        "short padding": padded(SHA256_INFO + DIGEST, ones=7),
        "no padding": padded(SHA256_INFO + DIGEST, ones=0),
        "block type 0": b"\0\0" + padded(SHA256_INFO + DIGEST)[2:],
        "block type 2": b"\0\2" + padded(SHA256_INFO + DIGEST)[2:],
        "a hole in the padding": padded(SHA256_INFO + DIGEST)[:9] + b"\xfe" + padded(SHA256_INFO + DIGEST)[10:],
        "the digest alone": padded(DIGEST),
        "another hash's name": padded(SHA256_INFO[:-5] + b"\x02" + SHA256_INFO[-4:] + DIGEST),
        "a digest cut short": padded(SHA256_INFO[:-1] + b"\x14" + DIGEST[:20]),
    }
)


@pytest.mark.parametrize("kind", BLOCKS)
def test_cve_2018_16152_a_padded_digest_is_right_to_the_octet(kind: str) -> None:
    """CVE-2018-16152, CVE-2026-50722: parameters, lengths and padding of the DigestInfo."""
    key = CUBE.public_key()
    auth.verify(key, AuthMethod.RSA_SIGNATURE, raw_signature(padded(SHA256_INFO + DIGEST)), OCTETS)
    for method, front in ((AuthMethod.RSA_SIGNATURE, b""), (AuthMethod.DIGITAL_SIGNATURE, prefix("PKCS1"))):
        with pytest.raises(AuthenticationFailed):
            auth.verify(key, method, front + raw_signature(BLOCKS[kind]), OCTETS)


def test_cve_2018_17540_pss_parameters_must_be_those_that_are_named() -> None:
    """CVE-2018-6459, CVE-2018-17540: another hash in MGF1, another salt, another hash than the identifier says."""
    for mgf, hash, salt in (
        (SHA1(), SHA256(), 32),
        (SHA256(), SHA256(), 0),
        (SHA256(), SHA256(), 33),
        (SHA1(), SHA1(), 20),
    ):
        made = RSA.sign(OCTETS, padding.PSS(padding.MGF1(mgf), salt), hash)
        assert not METHODS["RSASSA-PSS"].accepts(made)
    assert METHODS["RSASSA-PSS"].accepts(RSA.sign(OCTETS, padding.PSS(padding.MGF1(SHA256()), 32), SHA256()))
    assert not METHODS["RSASSA-PSS"].accepts(METHODS["RSASSA-PKCS1"].good)
    assert not METHODS["RSASSA-PKCS1"].accepts(METHODS["RSASSA-PSS"].good)


# Keys that are none

RSA_OID = bytes.fromhex("300d06092a864886f70d0101010500")


def integer(value: int) -> bytes:
    return der.encode(2, value.to_bytes(value.bit_length() // 8 + 1))


def rsa_info(n: int, e: int) -> bytes:
    """The SubjectPublicKeyInfo of any two numbers."""
    key = der.encode(0x30, integer(n) + integer(e))
    return der.encode(0x30, RSA_OID + der.encode(3, b"\0" + key))


N = RSA.public_key().public_numbers().n
DEGENERATE = MappingProxyType(
    {
        "e is 0": (N, 0),
        "e is 1": (N, 1),
        "e is 2": (N, 2),
        "n is 0": (0, 3),
        "n is 1": (1, 3),
        "n is tiny": (3233, 17),
        "n is short": (rsa.generate_private_key(65537, 1024).public_key().public_numbers().n, 65537),
        "n is even": (N + 1, 65537),
        "n is a power of two": (1 << 2047, 3),
        "e is larger than n": (N, N + 2),
    }
)


def degenerate_certificate(n: int, e: int, issuer: Made) -> bytes:
    """A certificate of that key, rightly signed by the issuer."""
    good = certificate(NAMES[A], issuer)
    fields = der.elements(der.content(good.certificate.tbs_certificate_bytes, 0x30)[0])
    changed = b"".join(rsa_info(n, e) if index == 6 else each.octets for index, each in enumerate(fields))
    tbs = der.encode(0x30, changed)
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    signature = issuer.key.sign(tbs, ec.ECDSA(SHA256()))
    return der.encode(0x30, tbs + fields[2].octets + der.encode(3, b"\0" + signature))


@pytest.mark.parametrize("kind", DEGENERATE)
def test_cve_2017_9022_degenerate_rsa_keys(kind: str) -> None:
    """CVE-2017-9022, CVE-2017-11185: neither as a raw key nor in a certificate of our own authority, nor a crash."""
    n, e = DEGENERATE[kind]
    try:
        key = load_public_key(rsa_info(n, e))
    except LocalProtocolError:
        pass
    else:
        for signature in (b"", b"\1", bytes(SIZE - 1) + b"\1", b"\xff" * SIZE):
            for front in (prefix("PSS"), prefix("PKCS1")):
                with pytest.raises(AuthenticationFailed):
                    auth.verify(key, AuthMethod.DIGITAL_SIGNATURE, front + signature, OCTETS)
            with pytest.raises(AuthenticationFailed):
                auth.verify(key, AuthMethod.RSA_SIGNATURE, signature, OCTETS)
    shown = Made(x509.load_der_x509_certificate(degenerate_certificate(n, e, BELOW)), RSA)
    ends = scene.run(a_local_auth=own(shown, BELOW))
    assert not scene.is_up(ends)
    assert "authentication of the initiator failed" in scene.said(ends, B)


def test_an_even_modulus_is_named() -> None:
    """With n even the package would compute on; nobody honest has such a key."""
    with pytest.raises(AuthenticationFailed, match="even modulus"):
        auth.verify(load_public_key(rsa_info(N + 1, 65537)), AuthMethod.RSA_SIGNATURE, bytes(SIZE), OCTETS)


def test_a_degenerate_certificate_is_else_like_a_good_one() -> None:
    """The twin: the same making with a good key is accepted."""
    public = RSA.public_key().public_numbers()
    shown = Made(x509.load_der_x509_certificate(degenerate_certificate(public.n, public.e, BELOW)), RSA)
    assert scene.is_up(scene.run(a_local_auth=own(shown, BELOW)))
