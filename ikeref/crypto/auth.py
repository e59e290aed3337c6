"""The AUTH payload: what is signed, and how (Sections 2.15 and 3.8, RFC 4754, RFC 7427, RFC 8420).

A signature is checked by the cryptography package alone. What stands around it (the AlgorithmIdentifier of RFC 7427) is
compared with literal octets, never parsed, as RFC 7427 section 3 suggests.

Method 1 (RSA) signs with SHA-1, the default of Section 3.8, because its peer has announced no hash; on receipt SHA-1
and SHA-2 are accepted. Method 14 accepts SHA-1 only where `hashes` has it: RFC 8247 section 3.2 forbids it.
"""

from hmac import compare_digest

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes as hash_functions
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ikeref.crypto.algorithm_identifiers import ENCODED, IDENTIFIERS, Algorithm, Kind
from ikeref.crypto.provider import Provider
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.registry import AuthMethod, HashAlgorithm, name

PrivateKey = RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
PublicKey = RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

KEY_PAD = b"Key Pad for IKEv2"
"""17 octets, no terminator (Section 2.15, `7296-2.15-15`)."""

HASHES: frozenset[int] = frozenset(
    (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.IDENTITY)
)
"""What we announce in SIGNATURE_HASH_ALGORITHMS, and accept with method 14, unless told otherwise."""

MIN_RSA_BITS = 2048
"""RFC 8247 section 3.1.1."""

_HASHES: dict[int, hash_functions.HashAlgorithm] = {
    int(HashAlgorithm.SHA1): hash_functions.SHA1(),
    int(HashAlgorithm.SHA2_256): hash_functions.SHA256(),
    int(HashAlgorithm.SHA2_384): hash_functions.SHA384(),
    int(HashAlgorithm.SHA2_512): hash_functions.SHA512(),
}

# Methods 9 to 11 bind curve and hash (RFC 4754 section 3): curve -> method, hash, octets of r and of s.
_FIXED_ECDSA: dict[str, tuple[int, hash_functions.HashAlgorithm, int]] = {
    "secp256r1": (AuthMethod.ECDSA_SHA_256_P_256, hash_functions.SHA256(), 32),
    "secp384r1": (AuthMethod.ECDSA_SHA_384_P_384, hash_functions.SHA384(), 48),
    "secp521r1": (AuthMethod.ECDSA_SHA_512_P_521, hash_functions.SHA512(), 66),
}


def signed_octets(provider: Provider, prf: int, message: bytes, nonce: bytes, sk_p: bytes, id_body: bytes) -> bytes:
    """InitiatorSignedOctets or ResponderSignedOctets (Section 2.15).

    `message` is the signer's own IKE_SA_INIT message, the last one it sent, from SPIi on, without the non-ESP marker
    (`7296-2.15-06`, `7296-2.15-07`, `7296-2.15-08`). `nonce` is the Nonce Data of the other side (`7296-2.15-05`),
    `sk_p` SK_pi or SK_pr of the signer, `id_body` its ID payload without the generic header (`7296-2.15-02`).
    """
    return message + nonce + provider.prf(prf, sk_p, id_body)


def shared_key_auth(provider: Provider, prf: int, secret: bytes, octets: bytes) -> bytes:
    """AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), signed octets) (Section 2.15, `7296-2.15-14`).

    With EAP `secret` is the MSK (`7296-2.15-21`), or SK_pi or SK_pr for a method that makes no key (`7296-2.15-22`);
    with NULL authentication it is SK_pi or SK_pr (RFC 7619 section 2.1).
    """
    return provider.prf(prf, provider.prf(prf, secret, KEY_PAD), octets)


def verify_shared_key(provider: Provider, prf: int, secret: bytes, octets: bytes, data: bytes) -> None:
    """Compare the Authentication Data of method 2, in constant time; `AuthenticationFailed` if it differs."""
    if not compare_digest(shared_key_auth(provider, prf, secret, octets), data):
        raise _failed("the shared-key AUTH is wrong", "2.15")


def sign(
    private_key: PrivateKey, octets: bytes, hashes: frozenset[int] = frozenset(), *, pss: bool = True
) -> tuple[int, bytes]:
    """The Auth Method and the Authentication Data over the signed octets.

    `hashes` are those that the peer announced: method 14 must take one of them (`7427-4-03`). Without any the
    older methods 1 and 9 to 11 are used. `pss` chooses RSASSA-PSS over RSASSA-PKCS1-v1_5 (RFC 8247 section 3.2).
    Raises `LocalProtocolError` if this key can sign nothing that the peer accepts.
    """
    if not hashes:
        return _sign_by_old_method(private_key, octets)
    for kind, hash in _choices(private_key, pss):
        if hash in hashes:
            encoded = ENCODED[kind, hash]
            signature = _sign(private_key, Algorithm(kind, hash), octets)
            return AuthMethod.DIGITAL_SIGNATURE, bytes((len(encoded),)) + encoded + signature
    raise LocalProtocolError("the peer accepts no hash algorithm that this key can use", section="RFC 7427 4")


def verify(
    public_key: PublicKey, method: int, data: bytes, octets: bytes, hashes: frozenset[int] | None = None
) -> None:
    """Check the Authentication Data of a signature method; `AuthenticationFailed` says no more than what was wrong.

    `hashes` are those that we announced if the peer announced some too: then only method 14 is right (`7427-3-04`); the
    empty set if not: then method 14 is not. None accepts both, and the hashes in `HASHES`.
    """
    if hashes is not None and (method == AuthMethod.DIGITAL_SIGNATURE) != bool(hashes):
        raise _failed(f"method {name(AuthMethod, method)} was not announced", "RFC 7427 3")
    try:
        if method == AuthMethod.DIGITAL_SIGNATURE:
            _verify_identified(public_key, data, octets, HASHES if hashes is None else hashes)
        elif method == AuthMethod.RSA_SIGNATURE:
            _verify_rsa(public_key, data, octets)
        elif method in (
            AuthMethod.ECDSA_SHA_256_P_256,
            AuthMethod.ECDSA_SHA_384_P_384,
            AuthMethod.ECDSA_SHA_512_P_521,
        ):
            _verify_fixed_ecdsa(public_key, method, data, octets)
        else:
            raise _failed(f"authentication method {name(AuthMethod, method)} is no signature that we check", "3.8")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise _failed("the signature is wrong", "2.15") from None


def _choices(key: PrivateKey, pss: bool) -> tuple[tuple[Kind, int], ...]:
    """What a key can sign with, the best first: the key's type decides (`7296-2.15-10`)."""
    sha2 = [int(HashAlgorithm.SHA2_256), int(HashAlgorithm.SHA2_384), int(HashAlgorithm.SHA2_512)]
    match key:
        case RSAPrivateKey():
            return tuple(("PSS" if pss else "PKCS1", hash) for hash in sha2)
        case ec.EllipticCurvePrivateKey():
            best = 0 if key.key_size <= 256 else 1 if key.key_size <= 384 else 2
            order = sha2[best:] + sha2[:best][::-1]
            return tuple(("ECDSA", hash) for hash in order)
        case Ed25519PrivateKey():
            return (("Ed25519", int(HashAlgorithm.IDENTITY)),)
        case Ed448PrivateKey():
            return (("Ed448", int(HashAlgorithm.IDENTITY)),)


def _sign(key: PrivateKey, algorithm: Algorithm, octets: bytes) -> bytes:
    match key:
        case RSAPrivateKey():
            return key.sign(octets, _padding(algorithm), _HASHES[algorithm.hash])
        case ec.EllipticCurvePrivateKey():
            return key.sign(octets, ec.ECDSA(_HASHES[algorithm.hash]))
        case Ed25519PrivateKey() | Ed448PrivateKey():
            return key.sign(octets)


def _sign_by_old_method(key: PrivateKey, octets: bytes) -> tuple[int, bytes]:
    if isinstance(key, RSAPrivateKey):
        algorithm = Algorithm("PKCS1", HashAlgorithm.SHA1)  # 7296-3.8-05
        return AuthMethod.RSA_SIGNATURE, _sign(key, algorithm, octets)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _FIXED_ECDSA:
        method, hash, size = _FIXED_ECDSA[key.curve.name]
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hash)))
        return method, r.to_bytes(size) + s.to_bytes(size)
    raise LocalProtocolError("this key needs a peer that announces hash algorithms", section="RFC 7427 3")


def _verify_rsa(key: PublicKey, data: bytes, octets: bytes) -> None:
    """Method 1: RSASSA-PKCS1-v1_5; the hash is whichever the DigestInfo names (`7296-3.8-03`, `7296-3.8-04`)."""
    if not isinstance(key, RSAPublicKey):
        raise _failed("an RSA method with another kind of key", "3.8")
    _require_size(key)
    for hash in (HashAlgorithm.SHA1, HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512):
        try:
            return key.verify(data, octets, padding.PKCS1v15(), _HASHES[hash])
        except InvalidSignature:
            continue
    raise InvalidSignature


def _verify_fixed_ecdsa(key: PublicKey, method: int, data: bytes, octets: bytes) -> None:
    """Methods 9 to 11: r | s, each as long as the order of the curve (RFC 4754 section 3)."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _failed("an ECDSA method with another kind of key", "3.8")
    fixed = _FIXED_ECDSA.get(key.curve.name)
    if fixed is None or fixed[0] != method:
        raise _failed("an ECDSA method with a key of another curve", "RFC 4754 3")
    _, hash, size = fixed
    if len(data) != 2 * size:
        raise _failed("the ECDSA signature has the wrong length", "RFC 4754 7")
    r, s = int.from_bytes(data[:size]), int.from_bytes(data[size:])
    key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(hash))


def _verify_identified(key: PublicKey, data: bytes, octets: bytes, hashes: frozenset[int]) -> None:
    """Method 14: length, AlgorithmIdentifier, signature (RFC 7427 section 3, `7427-3-02`, `7427-3-06`)."""
    end = 1 + data[0] if data else 0
    algorithm = IDENTIFIERS.get(data[1:end]) if 0 < end <= len(data) else None
    if algorithm is None:
        raise _failed("the AlgorithmIdentifier is not one that we know", "RFC 7427 3")
    if algorithm.hash not in hashes:
        raise _failed(f"hash {name(HashAlgorithm, algorithm.hash)} was not announced", "RFC 7427 4")
    signature = data[end:]
    match algorithm.kind, key:
        case (("PKCS1" | "PSS"), RSAPublicKey()):
            _require_size(key)
            key.verify(signature, octets, _padding(algorithm), _HASHES[algorithm.hash])
        case "ECDSA", ec.EllipticCurvePublicKey():
            key.verify(signature, octets, ec.ECDSA(_HASHES[algorithm.hash]))
        case "Ed25519", Ed25519PublicKey():
            key.verify(signature, octets)
        case "Ed448", Ed448PublicKey():
            key.verify(signature, octets)
        case _:
            raise _failed("the AlgorithmIdentifier is for another kind of key", "RFC 7427 3")


def _padding(algorithm: Algorithm) -> padding.AsymmetricPadding:
    if algorithm.kind == "PKCS1":
        return padding.PKCS1v15()
    hash = _HASHES[algorithm.hash]
    return padding.PSS(padding.MGF1(hash), salt_length=hash.digest_size)


def _require_size(key: RSAPublicKey) -> None:
    if key.key_size < MIN_RSA_BITS:
        raise _failed(f"an RSA key of {key.key_size} bits is too short", "RFC 8247 3.1.1")
    if not key.public_numbers().n & 1:  # The package refuses exponents of 1, and even ones, but not this.
        raise _failed("an RSA key with an even modulus", "RFC 8247 3.1.1")


def _failed(reason: str, section: str) -> AuthenticationFailed:
    return AuthenticationFailed(reason, section=section, field="AUTH")
