"""The key schedule's own rules (Sections 2.14, 2.17 and 2.18); its values are checked by the vectors."""

import pytest

from ikeref.crypto import ChildKeys, ChildSuite, IkeKeys, Suite
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.schedule import child_keys, ike_keys, keymat, mix_ppk, skeyseed, skeyseed_rekey
from ikeref.errors import LocalProtocolError
from ikeref.registry import Encr, Integ, KeGroup, Prf, ProtocolId

REAL = RealCrypto()
NI, NR = bytes(range(32)), bytes(range(100, 140))


@pytest.mark.parametrize("prf", [Prf.AES128_XCBC, Prf.AES128_CMAC])
def test_s2_14_fixed_key_prfs_take_64_bits_of_each_nonce(prf: int) -> None:
    assert skeyseed(REAL, prf, NI, NR, b"g") == REAL.prf(prf, NI[:8] + NR[:8], b"g")
    suite = Suite(Encr.AES_CBC, 128, prf, Integ.AES_XCBC_96, KeGroup.MODP_2048)
    keys = ike_keys(REAL, suite, b"seed", NI, NR, b"I" * 8, b"R" * 8)
    assert keys.sk_d == REAL.prf_plus(prf, b"seed", NI + NR + b"I" * 8 + b"R" * 8, 16)  # whole nonces here


def test_s2_14_other_prfs_take_whole_nonces() -> None:
    assert skeyseed(REAL, Prf.HMAC_SHA2_256, NI, NR, b"g") == REAL.prf(Prf.HMAC_SHA2_256, NI + NR, b"g")


@pytest.mark.parametrize(
    ("suite", "sizes"),
    [
        (Suite(Encr.AES_GCM_16, 256, Prf.HMAC_SHA2_384, 0, 31), (48, 0, 0, 36, 36, 48, 48)),
        (Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA1, Integ.HMAC_SHA2_512_256, 31), (20, 64, 64, 16, 16, 20, 20)),
        (Suite(Encr.AES_CCM_8, 192, Prf.AES128_CMAC, 0, 31), (16, 0, 0, 27, 27, 16, 16)),
        (Suite(Encr.CHACHA20_POLY1305, 0, Prf.HMAC_SHA2_512, 0, 31), (64, 0, 0, 36, 36, 64, 64)),
    ],
)
def test_s2_14_keys_are_cut_in_order(suite: Suite, sizes: tuple[int, ...]) -> None:
    keys = ike_keys(REAL, suite, b"seed", NI, NR, b"I" * 8, b"R" * 8)
    assert tuple(map(len, keys)) == sizes
    assert b"".join(keys) == REAL.prf_plus(suite.prf, b"seed", NI + NR + b"I" * 8 + b"R" * 8, sum(sizes))


def test_s2_17_encryption_before_integrity_initiator_before_responder() -> None:
    suite = ChildSuite(ProtocolId.ESP, Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, 0, 0)
    keys = child_keys(REAL, Prf.HMAC_SHA2_256, b"d" * 32, NI, NR, suite)
    assert tuple(map(len, keys)) == (16, 20, 16, 20)
    assert b"".join(keys) == REAL.prf_plus(Prf.HMAC_SHA2_256, b"d" * 32, NI + NR, 72)


@pytest.mark.parametrize(
    ("suite", "sizes"),
    [
        (ChildSuite(ProtocolId.AH, 0, 0, Integ.HMAC_SHA2_256_128, 0, 1), (0, 32, 0, 32)),
        (ChildSuite(ProtocolId.AH, 0, 0, Integ.AES_128_GMAC, 0, 1), (0, 20, 0, 20)),
        (ChildSuite(ProtocolId.ESP, Encr.AES_GCM_16, 128, 0, 31, 0), (20, 0, 20, 0)),
        (ChildSuite(ProtocolId.ESP, Encr.NULL, 0, Integ.HMAC_SHA2_256_128, 0, 0), (0, 32, 0, 32)),
        (ChildSuite(ProtocolId.ESP, Encr.AES_CTR, 256, Integ.HMAC_SHA2_256_128, 0, 0), (36, 32, 36, 32)),
        (ChildSuite(ProtocolId.ESP, Encr.CAMELLIA_CBC, 256, Integ.HMAC_MD5_96, 0, 0), (32, 16, 32, 16)),
    ],
)
def test_s2_17_sizes_of_child_keys(suite: ChildSuite, sizes: tuple[int, ...]) -> None:
    assert tuple(map(len, child_keys(REAL, Prf.HMAC_SHA2_256, b"d", NI, NR, suite))) == sizes


def test_s2_17_several_protocols_in_order_of_their_headers() -> None:
    """AH in front of ESP: AH's key, ESP's two, then the same for the other direction; not the other way round."""
    lengths = (20, 16, 32, 20, 16, 32)
    pieces = keymat(REAL, Prf.HMAC_SHA1, b"d", NI, NR, lengths, b"g")
    assert tuple(map(len, pieces)) == lengths
    assert b"".join(pieces) == REAL.prf_plus(Prf.HMAC_SHA1, b"d", b"g" + NI + NR, sum(lengths))


def test_s2_18_rekey_takes_the_old_prf_and_the_new_secret() -> None:
    assert skeyseed_rekey(REAL, Prf.AES128_XCBC, b"d" * 16, b"g", NI, NR) == REAL.prf(
        Prf.AES128_XCBC, b"d" * 16, b"g" + NI + NR
    )


def test_rfc8784_a_ppk_changes_three_keys() -> None:
    suite = Suite(Encr.AES_GCM_16, 256, Prf.HMAC_SHA2_256, 0, 31)
    keys = ike_keys(REAL, suite, b"seed", NI, NR, b"I" * 8, b"R" * 8)
    mixed = mix_ppk(REAL, suite.prf, keys, b"ppk")
    changed = {field for field in keys._fields if getattr(keys, field) != getattr(mixed, field)}
    assert changed == {"sk_d", "sk_pi", "sk_pr"}


def test_s3_3_2_unknown_transforms_give_no_keys() -> None:
    with pytest.raises(LocalProtocolError):
        ike_keys(REAL, Suite(999, 0, Prf.HMAC_SHA2_256, 0, 31), b"s", NI, NR, b"I" * 8, b"R" * 8)
    with pytest.raises(LocalProtocolError):
        ike_keys(REAL, Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, 99, 31), b"s", NI, NR, b"I" * 8, b"R" * 8)
    with pytest.raises(LocalProtocolError):
        skeyseed(REAL, 99, NI, NR, b"g")


def test_secrets_do_not_show_themselves() -> None:
    keys = IkeKeys(*(b"secret-%d" % n for n in range(7)))
    child = ChildKeys(*(b"secret-%d" % n for n in range(4)))
    for value in (keys, child):
        assert "secret" not in f"{value} {value!r} {[value]} {(value,)}"
