"""The AlgorithmIdentifier objects of RFC 7427, as octets (RFC 7427 appendix A, RFC 8420 appendix A).

Each is DER and compared whole. Where a specification makes receivers accept parameters that are NULL as well as absent
(RFC 4055 sections 1.2, 2.1 and 5), both encodings are in the table; `ENCODED` has the one to send (RFC 7427 section 3).
"""

from itertools import product
from typing import Literal, NamedTuple

from ikeref.registry import HashAlgorithm

Kind = Literal["PKCS1", "PSS", "ECDSA", "Ed25519", "Ed448"]


class Algorithm(NamedTuple):
    """What an AlgorithmIdentifier names."""

    kind: Kind
    hash: int


_SHA1, _SHA256, _SHA384, _SHA512, _IDENTITY = (
    int(HashAlgorithm.SHA1),
    int(HashAlgorithm.SHA2_256),
    int(HashAlgorithm.SHA2_384),
    int(HashAlgorithm.SHA2_512),
    int(HashAlgorithm.IDENTITY),
)

_LITERAL: tuple[tuple[Algorithm, str], ...] = (
    # RFC 7427 appendix A.1: parameters NULL; then the same without.
    (Algorithm("PKCS1", _SHA1), "300d 0609 2a864886f70d010105 0500"),
    (Algorithm("PKCS1", _SHA256), "300d 0609 2a864886f70d01010b 0500"),
    (Algorithm("PKCS1", _SHA384), "300d 0609 2a864886f70d01010c 0500"),
    (Algorithm("PKCS1", _SHA512), "300d 0609 2a864886f70d01010d 0500"),
    (Algorithm("PKCS1", _SHA1), "300b 0609 2a864886f70d010105"),
    (Algorithm("PKCS1", _SHA256), "300b 0609 2a864886f70d01010b"),
    (Algorithm("PKCS1", _SHA384), "300b 0609 2a864886f70d01010c"),
    (Algorithm("PKCS1", _SHA512), "300b 0609 2a864886f70d01010d"),
    # RFC 7427 appendix A.3: parameters absent.
    (Algorithm("ECDSA", _SHA1), "3009 0607 2a8648ce3d0401"),
    (Algorithm("ECDSA", _SHA256), "300a 0608 2a8648ce3d040302"),
    (Algorithm("ECDSA", _SHA384), "300a 0608 2a8648ce3d040303"),
    (Algorithm("ECDSA", _SHA512), "300a 0608 2a8648ce3d040304"),
    # RFC 7427 appendices A.4.1 and A.4.2: SHA-1, MGF1 with SHA-1, 20 octets of salt, all by default or all written out.
    (Algorithm("PSS", _SHA1), "300d 0609 2a864886f70d01010a 3000"),
    (
        Algorithm("PSS", _SHA1),
        "303e 0609 2a864886f70d01010a 3031 a00b 3009 0605 2b0e03021a 0500"
        " a118 3016 0609 2a864886f70d010108 3009 0605 2b0e03021a 0500 a203 020114 a303 020101",
    ),
    # RFC 8420 appendix A.
    (Algorithm("Ed25519", _IDENTITY), "3005 0603 2b6570"),
    (Algorithm("Ed448", _IDENTITY), "3005 0603 2b6571"),
)

# RSASSA-PSS with SHA-2 (RFC 7427 appendix A.4.3): the last octet of the hash's OID, and the salt's size in octets.
_PSS_SHA2 = {_SHA256: (0x01, 32), _SHA384: (0x02, 48), _SHA512: (0x03, 64)}


def _der(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def _pss(oid_end: int, salt: int, null: bytes, mgf_null: bytes, trailer: bytes) -> bytes:
    """RSASSA-PSS with MGF1 on the same hash and a salt as long as its output."""
    hash_oid = bytes.fromhex("0609 6086480165030402") + bytes((oid_end,))
    mgf = bytes.fromhex("0609 2a864886f70d010108") + _der(0x30, hash_oid + mgf_null)
    parameters = _der(0xA0, _der(0x30, hash_oid + null)) + _der(0xA1, _der(0x30, mgf))
    parameters += _der(0xA2, bytes((2, 1, salt))) + trailer
    return _der(0x30, bytes.fromhex("0609 2a864886f70d01010a") + _der(0x30, parameters))


def _pss_encodings() -> list[tuple[Algorithm, bytes]]:
    """DER first, which leaves default values out, then those that differ in NULLs and in the default trailer field.

    RFC 7427 appendix A.4.3 has that field, and RFC 7427 section 3 wants DER: libreswan takes nothing else.
    """
    nulls, trailers = (b"\5\0", b""), (b"", bytes.fromhex("a303 020101"))
    return [
        (Algorithm("PSS", hash), _pss(oid_end, salt, null, mgf_null, trailer))
        for hash, (oid_end, salt) in _PSS_SHA2.items()
        for null, mgf_null, trailer in product(nulls, nulls, trailers)
    ]


_ALL = [(algorithm, bytes.fromhex(text)) for algorithm, text in _LITERAL] + _pss_encodings()

IDENTIFIERS: dict[bytes, Algorithm] = {encoded: algorithm for algorithm, encoded in _ALL}
"""Encoded AlgorithmIdentifier -> what it names."""

ENCODED: dict[tuple[Kind, int], bytes] = {
    (algorithm.kind, algorithm.hash): encoded for algorithm, encoded in reversed(_ALL)
}
"""What it names -> the encoding to send: the first of each above."""
