"""Finite-field Diffie-Hellman over the MODP groups (Sections 2.12, 2.14 and 3.4, Appendix B, RFC 6989 section 2.1).

The moduli follow one formula (that of Appendix B and of RFC 3526), so they are computed from it on first use instead of
being written out in 8 KB of digits that nobody can check:

    p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + k),  g = 2

Departure D-2: exponentiation is Python's `pow`, whose time depends on the private exponent. The cryptography package
has deprecated its constant-time one. Prefer the elliptic-curve groups where somebody can measure us.
"""

from collections.abc import Callable
from functools import cache

from ikeref.errors import InvalidSyntax
from ikeref.registry import KeGroup

# n, k of the formula, and the size of a private exponent in bits: at least twice the strength of the group
# (RFC 3526 section 8), and no more, because time grows with it.
_PARAMETERS: dict[int, tuple[int, int, int]] = {
    int(KeGroup.MODP_1024): (1024, 129093, 192),
    int(KeGroup.MODP_1536): (1536, 741804, 240),
    int(KeGroup.MODP_2048): (2048, 124476, 256),
    int(KeGroup.MODP_3072): (3072, 1690314, 288),
    int(KeGroup.MODP_4096): (4096, 240904, 336),
    int(KeGroup.MODP_6144): (6144, 929484, 384),
    int(KeGroup.MODP_8192): (8192, 4743158, 416),
}


class Exponent:
    """A private exponent. It never shows itself."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


def _pi(bits: int) -> int:
    """floor(2^bits * pi), by Machin's formula in fixed point with 64 bits to spare."""
    one = 1 << (bits + 64)

    def arctan_of_inverse(x: int) -> int:
        power = total = one // x
        n, sign = 3, -1
        while power:
            power //= x * x
            total += sign * (power // n)
            n, sign = n + 2, -sign
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64


@cache
def modulus(group: int) -> int:
    """The prime p of a group (`7296-B.2-01`, RFC 3526)."""
    n, k, _ = _PARAMETERS[group]
    return (1 << n) - (1 << (n - 64)) - 1 + (_pi(n - 130) + k << 64)


def generate(group: int, random: Callable[[int], bytes]) -> tuple[Exponent, bytes]:
    """A private exponent and g^x, padded to the length of the modulus (Section 3.4)."""
    n, _, exponent_bits = _PARAMETERS[group]
    # The top bit is set so that the exponent has its full size whatever `random` gives.
    x = int.from_bytes(random(exponent_bits // 8)) | 1 << (exponent_bits - 1)
    return Exponent(x), pow(2, x, modulus(group)).to_bytes(n // 8)


def agree(group: int, private: Exponent, public: bytes) -> bytes:
    """g^ir, padded to the length of the modulus (`7296-2.14-04`).

    Raises `InvalidSyntax` unless 1 < y < p - 1 (RFC 6989 section 2.1, `6989-2.1-01`: enough for a safe prime).
    """
    n, _, _ = _PARAMETERS[group]
    p = modulus(group)
    y = int.from_bytes(public)
    if len(public) != n // 8:
        raise InvalidSyntax("the public value is not as long as the modulus", section="3.4", field="KE")
    if not 1 < y < p - 1:
        raise InvalidSyntax("the public value lies outside 2..p-2", section="RFC 6989 2.1", field="KE")
    return pow(y, private.value, p).to_bytes(n // 8)
