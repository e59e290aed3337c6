"""The Key Exchange payload (Section 3.4)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import KeGroup
from ikeref.wire.header import new

_FIXED: Final = struct.Struct(">HH")
_pack: Final = _FIXED.pack
_unpack: Final = _FIXED.unpack_from

KE_SIZES: Final[dict[int, int]] = {
    KeGroup.MODP_768: 96,
    KeGroup.MODP_1024: 128,
    KeGroup.MODP_1536: 192,
    KeGroup.MODP_2048: 256,
    KeGroup.MODP_3072: 384,
    KeGroup.MODP_4096: 512,
    KeGroup.MODP_6144: 768,
    KeGroup.MODP_8192: 1024,
    KeGroup.MODP_1024_160: 128,
    KeGroup.MODP_2048_224: 256,
    KeGroup.MODP_2048_256: 256,
    KeGroup.ECP_192: 48,
    KeGroup.ECP_224: 56,
    KeGroup.ECP_256: 64,
    KeGroup.ECP_384: 96,
    KeGroup.ECP_521: 132,
    KeGroup.BRAINPOOL_P224R1: 56,
    KeGroup.BRAINPOOL_P256R1: 64,
    KeGroup.BRAINPOOL_P384R1: 96,
    KeGroup.BRAINPOOL_P512R1: 128,
    KeGroup.CURVE25519: 32,
    KeGroup.CURVE448: 56,
}
"""Octets of Key Exchange Data by group: the modulus (Section 3.4), both coordinates of a point (RFC 5903 section 7,
RFC 6954 section 2), or the u-coordinate (RFC 8031 section 3.1)."""


class KE(NamedTuple):
    """Key Exchange: a public value and the group that it belongs to (Section 3.4).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |   Diffie-Hellman Group Num    |           RESERVED            |
    +-------------------------------+-------------------------------+
    ~                       Key Exchange Data                       ~
    +---------------------------------------------------------------+
    """

    group: int
    public: bytes
    reserved: int = 0
    """Two octets."""
    flags: int = 0


def decode_ke(octets: bytes, start: int, stop: int, flags: int) -> KE:
    """KE from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.4."""
    if stop - start < 4:
        raise InvalidSyntax(
            f"KE has {stop - start} octets, fewer than its group and reserved fields",
            section="3.4",
            offset=start - 2,
            field="KE.Payload Length",
        )
    group, reserved = _unpack(octets, start)
    return new(KE, (group, octets[start + 4 : stop], reserved, flags))


def encode_ke(payload: KE) -> bytes:
    """The body of a KE payload. Section 3.4."""
    return _pack(payload.group, payload.reserved) + payload.public
