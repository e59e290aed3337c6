"""Sizes of the transforms: what key, IV, block, ICV and public value each has (Sections 2.13, 3.3.2 and 3.14).

Only facts, in tables that somebody can read; the functions are in `ciphers`, `macs`, `groups`. All sizes are in octets
but for Key Length, which the protocol counts in bits (Section 3.3.5). A transform may stand here although `RealCrypto`
doesn't compute it: to cut KEYMAT for a Child SA (Section 2.17) its sizes suffice.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

from ikeref.errors import LocalProtocolError
from ikeref.registry import Encr, Integ, KeGroup, Prf, name


class Suite(NamedTuple):
    """The chosen transforms of an IKE SA (Section 3.3.3)."""

    encr: int
    key_bits: int
    """The Key Length attribute in bits; 0 where the transform has none."""
    prf: int
    integ: int
    """0 (NONE) with an AEAD cipher."""
    group: int


class ChildSuite(NamedTuple):
    """The chosen transforms of a Child SA (Section 3.3.3)."""

    protocol_id: int
    encr: int
    """0 for AH."""
    key_bits: int
    integ: int
    """0 (NONE) with an AEAD cipher."""
    group: int
    """0 when keys come from SK_d alone (Section 2.17)."""
    esn: int


class Encryption(NamedTuple):
    """An encryption algorithm, transform type 1."""

    id: int
    key_bits: tuple[int, ...]
    """The key sizes that exist, without salt."""
    fixed: bool
    """Whether the Key Length attribute must be absent (Section 3.3.5)."""
    salt: int
    """Octets of SK_e behind the key proper: part of every nonce, never sent (RFC 5282 section 7.1)."""
    iv: int
    block: int
    """The ciphertext is a multiple of this (Section 3.14)."""
    icv: int
    """0: not an AEAD cipher, an integrity algorithm has to go with it."""


class PseudorandomFunction(NamedTuple):
    """A pseudorandom function, transform type 2."""

    id: int
    key: int
    """The preferred key size: that of SK_d, SK_pi and SK_pr (Section 2.13, `7296-2.13-07`, `7296-2.13-08`)."""
    output: int
    """At least 16 (Section 5, `7296-5-06`)."""
    nonce_prefix: int | None = None
    """How much of each nonce keys SKEYSEED: 8 octets for two PRFs (Section 2.14, `7296-2.14-06`), else all of it."""


class Integrity(NamedTuple):
    """An integrity algorithm, transform type 3."""

    id: int
    key: int
    """As long as the hash output for HMAC (`7296-2.13-05`)."""
    icv: int
    """`7296-3.14-20`."""


class Group(NamedTuple):
    """A key exchange method, transform type 4."""

    id: int
    public: int
    """Size of the Key Exchange Data (Section 3.4)."""
    secret: int
    """Size of g^ir, leading zeros included."""


_AES = (128, 192, 256)

_ENCRYPTION = (
    Encryption(Encr.TRIPLE_DES, (192,), fixed=True, salt=0, iv=8, block=8, icv=0),
    Encryption(Encr.NULL, (0,), fixed=True, salt=0, iv=0, block=1, icv=0),
    Encryption(Encr.AES_CBC, _AES, fixed=False, salt=0, iv=16, block=16, icv=0),
    Encryption(Encr.AES_CTR, _AES, fixed=False, salt=4, iv=8, block=1, icv=0),
    Encryption(Encr.AES_CCM_8, _AES, fixed=False, salt=3, iv=8, block=1, icv=8),
    Encryption(Encr.AES_CCM_12, _AES, fixed=False, salt=3, iv=8, block=1, icv=12),
    Encryption(Encr.AES_CCM_16, _AES, fixed=False, salt=3, iv=8, block=1, icv=16),
    Encryption(Encr.AES_GCM_8, _AES, fixed=False, salt=4, iv=8, block=1, icv=8),
    Encryption(Encr.AES_GCM_12, _AES, fixed=False, salt=4, iv=8, block=1, icv=12),
    Encryption(Encr.AES_GCM_16, _AES, fixed=False, salt=4, iv=8, block=1, icv=16),
    Encryption(Encr.NULL_AUTH_AES_GMAC, _AES, fixed=False, salt=4, iv=8, block=1, icv=16),
    Encryption(Encr.CAMELLIA_CBC, _AES, fixed=False, salt=0, iv=16, block=16, icv=0),
    Encryption(Encr.CAMELLIA_CTR, _AES, fixed=False, salt=4, iv=8, block=1, icv=0),
    Encryption(Encr.CAMELLIA_CCM_8, _AES, fixed=False, salt=3, iv=8, block=1, icv=8),
    Encryption(Encr.CAMELLIA_CCM_12, _AES, fixed=False, salt=3, iv=8, block=1, icv=12),
    Encryption(Encr.CAMELLIA_CCM_16, _AES, fixed=False, salt=3, iv=8, block=1, icv=16),
    Encryption(Encr.CHACHA20_POLY1305, (256,), fixed=True, salt=4, iv=8, block=1, icv=16),
    Encryption(Encr.AES_CCM_8_IIV, _AES, fixed=False, salt=3, iv=0, block=1, icv=8),
    Encryption(Encr.AES_GCM_16_IIV, _AES, fixed=False, salt=4, iv=0, block=1, icv=16),
    Encryption(Encr.CHACHA20_POLY1305_IIV, (256,), fixed=True, salt=4, iv=0, block=1, icv=16),
)

_PRF = (
    PseudorandomFunction(Prf.HMAC_SHA1, key=20, output=20),
    PseudorandomFunction(Prf.AES128_XCBC, key=16, output=16, nonce_prefix=8),
    PseudorandomFunction(Prf.HMAC_SHA2_256, key=32, output=32),
    PseudorandomFunction(Prf.HMAC_SHA2_384, key=48, output=48),
    PseudorandomFunction(Prf.HMAC_SHA2_512, key=64, output=64),
    PseudorandomFunction(Prf.AES128_CMAC, key=16, output=16, nonce_prefix=8),
)

_INTEGRITY = (
    Integrity(Integ.NONE, key=0, icv=0),
    Integrity(Integ.HMAC_MD5_96, key=16, icv=12),
    Integrity(Integ.HMAC_SHA1_96, key=20, icv=12),
    Integrity(Integ.AES_XCBC_96, key=16, icv=12),
    Integrity(Integ.AES_CMAC_96, key=16, icv=12),
    Integrity(Integ.AES_128_GMAC, key=16 + 4, icv=16),
    Integrity(Integ.AES_192_GMAC, key=24 + 4, icv=16),
    Integrity(Integ.AES_256_GMAC, key=32 + 4, icv=16),
    Integrity(Integ.HMAC_SHA2_256_128, key=32, icv=16),
    Integrity(Integ.HMAC_SHA2_384_192, key=48, icv=24),
    Integrity(Integ.HMAC_SHA2_512_256, key=64, icv=32),
)

_GROUPS = (
    Group(KeGroup.MODP_1024, 128, 128),
    Group(KeGroup.MODP_1536, 192, 192),
    Group(KeGroup.MODP_2048, 256, 256),
    Group(KeGroup.MODP_3072, 384, 384),
    Group(KeGroup.MODP_4096, 512, 512),
    Group(KeGroup.MODP_6144, 768, 768),
    Group(KeGroup.MODP_8192, 1024, 1024),
    Group(KeGroup.ECP_256, 64, 32),
    Group(KeGroup.ECP_384, 96, 48),
    Group(KeGroup.ECP_521, 132, 66),
    Group(KeGroup.BRAINPOOL_P256R1, 64, 32),
    Group(KeGroup.BRAINPOOL_P384R1, 96, 48),
    Group(KeGroup.BRAINPOOL_P512R1, 128, 64),
    Group(KeGroup.CURVE25519, 32, 32),
    Group(KeGroup.CURVE448, 56, 56),
)


class _Row(Protocol):
    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=_Row)


def _by_id(rows: Iterable[R]) -> dict[int, R]:
    return {int(row.id): row for row in rows}


ENCRYPTION: dict[int, Encryption] = _by_id(_ENCRYPTION)
PRF: dict[int, PseudorandomFunction] = _by_id(_PRF)
INTEGRITY: dict[int, Integrity] = _by_id(_INTEGRITY)
GROUPS: dict[int, Group] = _by_id(_GROUPS)


def encryption_key_size(encr: int, key_bits: int) -> int:
    """Octets of SK_e, or of a Child SA's encryption key, salt included; 0 for `encr` 0 (AH).

    Raises `LocalProtocolError` for an unknown algorithm or a Key Length that it doesn't have (Section 3.3.5).
    """
    if encr == 0:
        return 0
    row = ENCRYPTION.get(encr)
    if row is None:
        raise unsupported("encryption algorithm", name(Encr, encr))
    if row.fixed and key_bits == 0:
        return row.key_bits[0] // 8 + row.salt
    if key_bits not in row.key_bits:
        raise LocalProtocolError(f"{name(Encr, encr)} has no key of {key_bits} bits", section="3.3.5")
    return key_bits // 8 + row.salt


def integrity_key_size(integ: int) -> int:
    """Octets of SK_a, or of a Child SA's integrity key; 0 for NONE."""
    row = INTEGRITY.get(integ)
    if row is None:
        raise unsupported("integrity algorithm", name(Integ, integ))
    return row.key


def prf_row(prf: int) -> PseudorandomFunction:
    """The sizes of a pseudorandom function."""
    row = PRF.get(prf)
    if row is None:
        raise unsupported("pseudorandom function", name(Prf, prf))
    return row


def is_aead(encr: int) -> bool:
    """Whether the algorithm brings its own integrity (Section 3.3.3): then INTEG is absent or NONE."""
    row = ENCRYPTION.get(encr)
    return row is not None and row.icv > 0


def unsupported(what: str, which: str) -> LocalProtocolError:
    """The error for a transform that we don't compute: choosing it was our own mistake."""
    return LocalProtocolError(f"{what} {which} is not supported", section="3.3.2")
