"""Integrity algorithms and pseudorandom functions against the vectors of their RFCs (Section 2.13)."""

import pytest

from ikeref.crypto.macs import INTEGRITY_FUNCTIONS, PRF_FUNCTIONS, aes_cmac, aes_xcbc
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.transforms import INTEGRITY, PRF, integrity_key_size, prf_row
from ikeref.errors import LocalProtocolError
from ikeref.registry import Integ, Prf

KEY = bytes(range(16))
MESSAGE = bytes(range(20))


@pytest.mark.parametrize(
    ("size", "mac"),
    [
        (0, "75f0251d528ac01c4573dfd584d79f29"),
        (3, "5b376580ae2f19afe7219ceef172756f"),
        (16, "d2a246fa349b68a79998a4394ff7a263"),
        (20, "47f51b4564966215b8985c63055ed308"),
        (32, "f54f0ec8d2b9f3d36807734bd5283fd4"),
        (34, "becbb3bccdb518a30677d5481fb6b4d8"),
    ],
)
def test_rfc3566_aes_xcbc_mac(size: int, mac: str) -> None:
    assert aes_xcbc(KEY, bytes(range(size))).hex() == mac


@pytest.mark.parametrize(
    ("size", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_rfc4493_aes_cmac(size: int, mac: str) -> None:
    text = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    assert aes_cmac(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), text[:size]).hex() == mac


@pytest.mark.parametrize(
    ("key", "xcbc", "cmac"),
    [
        (KEY, "47f51b4564966215b8985c63055ed308", "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        (KEY[:10], "0fa087af7d866e7653434e602fdde835", "290d9e112edb09ee141fcf64c0b72f3d"),
        (KEY + b"\xed\xcb", "8cd3c93ae598a9803006ffb67c40e9e4", "84a348a4a45d235babfffc0d2b4da09a"),
    ],
)
def test_rfc4434_and_rfc4615_prfs_take_keys_of_any_size(key: bytes, xcbc: str, cmac: str) -> None:
    assert PRF_FUNCTIONS[Prf.AES128_XCBC](key, MESSAGE).hex() == xcbc
    assert PRF_FUNCTIONS[Prf.AES128_CMAC](key, MESSAGE).hex() == cmac


@pytest.mark.parametrize("prf", PRF_FUNCTIONS)
def test_s1_7_every_prf_takes_keys_of_any_size(prf: Prf) -> None:
    """7296-1.7-05: each octet of the key counts, however long it is."""
    function = PRF_FUNCTIONS[prf]
    for size in (1, 15, 16, 17, 32, 33, 64, 65, 128, 129, 500):
        key = b"\x01" * size
        found = {function(key[:at] + b"\x02" + key[at + 1 :], MESSAGE) for at in range(size)}
        assert len(found) == size
        assert {len(each) for each in found} == {len(function(KEY, MESSAGE))}


@pytest.mark.parametrize(
    ("prf", "mac"),
    [
        (Prf.HMAC_SHA1, "b617318655057264e28bc0b6fb378c8ef146be00"),
        (Prf.HMAC_SHA2_256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            Prf.HMAC_SHA2_384,
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            Prf.HMAC_SHA2_512,
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
            "be9d914eeb61f1702e696c203a126854",
        ),
    ],
)
def test_rfc2202_and_rfc4231_hmac(prf: int, mac: str) -> None:
    assert PRF_FUNCTIONS[prf](b"\x0b" * 20, b"Hi There").hex() == mac


@pytest.mark.parametrize("prf", list(PRF_FUNCTIONS))
def test_s2_13_sizes_in_the_table_are_those_of_the_functions(prf: int) -> None:
    assert len(PRF_FUNCTIONS[prf](bytes(PRF[prf].key), b"")) == PRF[prf].output


@pytest.mark.parametrize("integ", list(INTEGRITY_FUNCTIONS))
def test_s3_14_icv_sizes_in_the_table_are_those_of_the_functions(integ: int) -> None:
    function, size = INTEGRITY_FUNCTIONS[integ]
    assert size == INTEGRITY[integ].icv == len(function(bytes(INTEGRITY[integ].key), b"")[:size])
    assert str(8 * size) == Integ(integ).name.rpartition("_")[2]


def test_s2_13_keys_of_hmac_are_as_long_as_the_output_of_the_hash() -> None:
    """7296-2.13-05, before truncation, and 7296-2.13-07; other PRFs state their size, which is 16 octets
    (7296-2.13-08)."""
    hmacs = [each for each in INTEGRITY_FUNCTIONS if Integ(each).name.startswith("HMAC")]
    assert len(hmacs) == 4
    for integ in hmacs:
        assert integrity_key_size(integ) == len(INTEGRITY_FUNCTIONS[integ][0](b"key", b""))
    for prf, function in PRF_FUNCTIONS.items():
        size = len(function(b"key", b"")) if Prf(prf).name.startswith("HMAC") else 16
        assert prf_row(prf).key == size


def test_s2_13_prf_plus_chains_its_blocks() -> None:
    real, key, seed = RealCrypto(), b"key", b"seed"
    t1 = real.prf(Prf.HMAC_SHA2_256, key, seed + b"\1")
    t2 = real.prf(Prf.HMAC_SHA2_256, key, t1 + seed + b"\2")
    t3 = real.prf(Prf.HMAC_SHA2_256, key, t2 + seed + b"\3")
    for length in (0, 1, 31, 32, 33, 64, 65, 96):
        assert real.prf_plus(Prf.HMAC_SHA2_256, key, seed, length) == (t1 + t2 + t3)[:length]


def test_s2_13_prf_plus_ends_after_255_blocks() -> None:
    real = RealCrypto()
    assert len(real.prf_plus(Prf.HMAC_SHA1, b"k", b"s", 255 * 20)) == 5100
    with pytest.raises(LocalProtocolError, match="5101"):
        real.prf_plus(Prf.HMAC_SHA1, b"k", b"s", 255 * 20 + 1)


@pytest.mark.parametrize("prf", [0, Prf.HMAC_MD5, Prf.HMAC_TIGER, Prf.HMAC_STREEBOG_512, 1024, 65535])
def test_s3_3_2_unsupported_prfs_are_named(prf: int) -> None:
    with pytest.raises(LocalProtocolError, match="is not supported"):
        RealCrypto().prf(prf, b"k", b"d")


def test_s3_3_2_hmac_md5_is_no_integrity_algorithm_of_ours() -> None:
    assert Integ.HMAC_MD5_96 not in INTEGRITY_FUNCTIONS
