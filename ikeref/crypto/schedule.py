"""The key schedule: SKEYSEED, SK_d to SK_pr, KEYMAT (Sections 2.14, 2.17 and 2.18, RFC 8784).

Nonces are the Nonce Data alone; g^ir keeps its leading zeros. None of the values shows its contents.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ikeref.crypto.provider import ChildSuite, Provider, Suite
from ikeref.crypto.transforms import encryption_key_size, integrity_key_size, prf_row


class IkeKeys(NamedTuple):
    """The seven secrets of an IKE SA, in the order in which prf+ gives them (Section 2.14).

    SK_ei and SK_er end with the salt of the algorithms that have one (RFC 5282 section 7.1).
    """

    sk_d: bytes
    sk_ai: bytes
    sk_ar: bytes
    sk_ei: bytes
    sk_er: bytes
    sk_pi: bytes
    sk_pr: bytes

    def __repr__(self) -> str:
        return "IkeKeys(hidden)"


class ChildKeys(NamedTuple):
    """The keys of a Child SA, both directions, in the order in which they come from KEYMAT (Section 2.17).

    The suffix i names the SA that carries traffic from the initiator of the exchange that created it.
    """

    encr_i: bytes
    integ_i: bytes
    encr_r: bytes
    integ_r: bytes

    def __repr__(self) -> str:
        return "ChildKeys(hidden)"


def skeyseed(provider: Provider, prf: int, ni: bytes, nr: bytes, g_ir: bytes) -> bytes:
    """SKEYSEED = prf(Ni | Nr, g^ir), the nonces without headers (Section 2.14, `7296-2.14-02`, `7296-2.14-05`).

    Two PRFs are keyed with the first 64 bits of each nonce only (`7296-2.14-06`).
    """
    prefix = prf_row(prf).nonce_prefix
    return provider.prf(prf, ni[:prefix] + nr[:prefix], g_ir)


def skeyseed_rekey(provider: Provider, old_prf: int, old_sk_d: bytes, g_ir: bytes, ni: bytes, nr: bytes) -> bytes:
    """SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) of a rekeyed IKE SA (Section 2.18).

    `old_prf` is that of the IKE SA being rekeyed (`7296-2.18-04`), even if the new one has another.
    """
    return provider.prf(old_prf, old_sk_d, g_ir + ni + nr)


def ike_keys(
    provider: Provider, suite: Suite, skeyseed: bytes, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes
) -> IkeKeys:
    """{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) (Section 2.14).

    `7296-2.14-03`; SK_d, SK_pi and SK_pr have the preferred key size of the PRF (`7296-2.13-06`, `7296-2.14-01`). For a
    rekeyed IKE SA `suite`, nonces and SPIs are those of the new one (`7296-2.18-10`).
    """
    p = prf_row(suite.prf).key
    a = integrity_key_size(suite.integ)
    e = encryption_key_size(suite.encr, suite.key_bits)
    a2, e2 = p + 2 * a, p + 2 * a + 2 * e
    octets = provider.prf_plus(suite.prf, skeyseed, ni + nr + spi_i + spi_r, 3 * p + 2 * a + 2 * e)
    return IkeKeys(
        octets[:p],
        octets[p : p + a],
        octets[p + a : a2],
        octets[a2 : a2 + e],
        octets[a2 + e : e2],
        octets[e2 : e2 + p],
        octets[e2 + p :],
    )


def mix_ppk(provider: Provider, prf: int, keys: IkeKeys, ppk: bytes) -> IkeKeys:
    """SK_d, SK_pi and SK_pr made over with a postquantum preshared key: prf+(PPK, SK_x') (RFC 8784 section 3).

    `8784-3-05`.
    """
    size = prf_row(prf).key
    sk_d, sk_pi, sk_pr = (provider.prf_plus(prf, ppk, old, size) for old in (keys.sk_d, keys.sk_pi, keys.sk_pr))
    return keys._replace(sk_d=sk_d, sk_pi=sk_pi, sk_pr=sk_pr)


def keymat(
    provider: Provider, prf: int, sk_d: bytes, ni: bytes, nr: bytes, lengths: Sequence[int], g_ir: bytes = b""
) -> tuple[bytes, ...]:
    """KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr), cut into pieces of the given `lengths` in octets (Section 2.17).

    `7296-2.17-02` without g^ir, `7296-2.17-03` with it.

    With several protocols the caller lists the lengths of all SAs from the initiator in order of their headers in the
    encapsulated packet, then those of the other direction (`7296-2.17-05`, `7296-2.17-06`).
    """
    octets = provider.prf_plus(prf, sk_d, g_ir + ni + nr, sum(lengths))
    pieces, start = [], 0
    for length in lengths:
        pieces.append(octets[start : start + length])
        start += length
    return tuple(pieces)


def child_keys(
    provider: Provider, prf: int, sk_d: bytes, ni: bytes, nr: bytes, suite: ChildSuite, g_ir: bytes = b""
) -> ChildKeys:
    """The keys of a Child SA of one protocol: encryption before integrity, initiator's traffic first (Section 2.17).

    `7296-2.17-05`, `7296-2.17-07`, `7296-2.17-08`; their sizes follow from the transforms (`7296-2.17-09`).
    """
    e = encryption_key_size(suite.encr, suite.key_bits)
    a = integrity_key_size(suite.integ)
    octets = provider.prf_plus(prf, sk_d, g_ir + ni + nr, 2 * (e + a))
    h = e + a
    return ChildKeys(octets[:e], octets[e:h], octets[h : h + e], octets[h + e :])
