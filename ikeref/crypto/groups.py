"""Key exchange methods: MODP, ECP, Brainpool, Montgomery curves (Section 3.4, RFC 5903, RFC 6954, RFC 8031, RFC 6989).

Each is a pair of functions. `generate` draws from the randomness that it is given, so that a session can be replayed;
`agree` checks the public value before it computes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikeref.crypto import modp
from ikeref.errors import InvalidSyntax
from ikeref.registry import KeGroup

Random = Callable[[int], bytes]
"""How many octets -> that many unpredictable octets."""


class GroupFunctions(NamedTuple):
    """What a key exchange method does; its sizes are in `transforms.GROUPS`."""

    generate: Callable[[Random], tuple[Any, bytes]]
    agree: Callable[[Any, bytes], bytes]


def _x25519_generate(random: Random) -> tuple[X25519PrivateKey, bytes]:
    private = X25519PrivateKey.from_private_bytes(random(32))
    return private, private.public_key().public_bytes_raw()


def _x25519_agree(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # wrong length, or the all-zero secret of a point of small order (RFC 8031 section 5)
        raise InvalidSyntax("the public value is unusable", section="RFC 8031 3.2", field="KE") from None


def _x448_generate(random: Random) -> tuple[X448PrivateKey, bytes]:
    private = X448PrivateKey.from_private_bytes(random(56))
    return private, private.public_key().public_bytes_raw()


def _x448_agree(private: X448PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X448PublicKey.from_public_bytes(public))
    except ValueError:
        raise InvalidSyntax("the public value is unusable", section="RFC 8031 3.2", field="KE") from None


def _curve(curve: ec.EllipticCurve) -> GroupFunctions:
    """ECP and Brainpool: the public value is x | y, the secret is x (RFC 5903 section 7, RFC 6954 section 2).

    A public value has to be a point of the curve (`7296-3.3.2-14`, `6989-2.3-01`).
    """
    size = (curve.key_size + 7) // 8
    order = curve.group_order
    draw = (order.bit_length() + 7) // 8
    excess = 8 * draw - order.bit_length()

    def generate(random: Random) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        while True:
            x = int.from_bytes(random(draw)) >> excess
            if 0 < x < order:
                break
        private = ec.derive_private_key(x, curve)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return private, point[1:]

    def agree(private: ec.EllipticCurvePrivateKey, public: bytes) -> bytes:
        if len(public) != 2 * size:
            raise InvalidSyntax("the public value has the wrong length", section="RFC 5903 7", field="KE")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + public)
        except ValueError:  # a coordinate out of range, or a point that is not on the curve
            raise InvalidSyntax("the public value is not a point", section="RFC 6989 2.3", field="KE") from None
        return private.exchange(ec.ECDH(), peer)

    return GroupFunctions(generate, agree)


def _modp(group: int) -> GroupFunctions:
    return GroupFunctions(partial(modp.generate, group), partial(modp.agree, group))


GROUP_FUNCTIONS: dict[int, GroupFunctions] = {
    int(KeGroup.MODP_2048): _modp(KeGroup.MODP_2048),
    int(KeGroup.MODP_3072): _modp(KeGroup.MODP_3072),
    int(KeGroup.MODP_4096): _modp(KeGroup.MODP_4096),
    int(KeGroup.MODP_6144): _modp(KeGroup.MODP_6144),
    int(KeGroup.MODP_8192): _modp(KeGroup.MODP_8192),
    int(KeGroup.ECP_256): _curve(ec.SECP256R1()),
    int(KeGroup.ECP_384): _curve(ec.SECP384R1()),
    int(KeGroup.ECP_521): _curve(ec.SECP521R1()),
    int(KeGroup.BRAINPOOL_P256R1): _curve(ec.BrainpoolP256R1()),
    int(KeGroup.BRAINPOOL_P384R1): _curve(ec.BrainpoolP384R1()),
    int(KeGroup.BRAINPOOL_P512R1): _curve(ec.BrainpoolP512R1()),
    int(KeGroup.CURVE25519): GroupFunctions(_x25519_generate, _x25519_agree),
    int(KeGroup.CURVE448): GroupFunctions(_x448_generate, _x448_agree),
}

LEGACY_GROUP_FUNCTIONS: dict[int, GroupFunctions] = {
    int(KeGroup.MODP_1024): _modp(KeGroup.MODP_1024),
    int(KeGroup.MODP_1536): _modp(KeGroup.MODP_1536),
}
"""Only on request (RFC 8247 section 2.4: SHOULD NOT)."""
