"""The key derivation vectors of CAVS and NSS (Sections 2.13, 2.14, 2.17 and 2.18)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ikeref.crypto.real import RealCrypto
from ikeref.crypto.schedule import keymat, skeyseed, skeyseed_rekey
from ikeref.registry import Prf

REAL = RealCrypto()
KDF = Path(__file__).parent / "kdf"
CAVS = json.loads((KDF / "cavs-ikev2.json").read_text())["groups"]
NSS = {test["id"]: test for test in json.loads((KDF / "nss-gtest.json").read_text())["tests"]}


def prf_of(spelling: str) -> int:
    return Prf["AES128_XCBC" if "XCBC" in spelling else spelling.removeprefix("PRF_")]


def octets(test: dict[str, Any], *fields: str) -> list[bytes]:
    return [bytes.fromhex(test[field]) for field in fields]


@pytest.mark.parametrize("group", CAVS, ids=lambda g: f"{g['hash']}-{g['dhBits']}-{g['niBits']}-{g['dkmBits']}")
def test_s2_14_cavs_vectors_agree(group: dict[str, Any]) -> None:
    prf = prf_of(group["prf"])
    for test in group["tests"]:
        ni, nr, g_ir, g_ir_new, spi_i, spi_r = octets(test, "ni", "nr", "gir", "girNew", "spii", "spir")
        seed = skeyseed(REAL, prf, ni, nr, g_ir)
        assert seed.hex() == test["skeyseed"]
        dkm = REAL.prf_plus(prf, seed, ni + nr + spi_i + spi_r, group["dkmBits"] // 8)
        assert dkm.hex() == test["dkm"]
        sk_d = dkm[: len(seed)]
        size = group["childDkmBits"] // 8
        assert keymat(REAL, prf, sk_d, ni, nr, [size])[0].hex() == test["childDkm"]
        assert keymat(REAL, prf, sk_d, ni, nr, [size], g_ir_new)[0].hex() == test["childDkmDh"]
        assert skeyseed_rekey(REAL, prf, sk_d, g_ir_new, ni, nr).hex() == test["skeyseedRekey"]


def test_s2_14_there_are_450_cavs_vectors() -> None:
    assert sum(len(group["tests"]) for group in CAVS) == 450


@pytest.mark.parametrize("name", NSS)
def test_s2_13_nss_vectors_agree(name: str) -> None:
    test = NSS[name]
    prf = prf_of(test["prf"])
    ikm, g_ir, ni, nr, seed = octets(test, "ikm", "gxy", "ni", "nr", "seed")
    match test["op"]:
        case "skeyseed":
            got = skeyseed(REAL, prf, ni, nr, ikm)
        case "skeyseed_rekey":
            got = skeyseed_rekey(REAL, prf, ikm, g_ir, ni, nr)
        case _:
            got = REAL.prf_plus(prf, ikm, seed, test["size"])
    assert got.hex() == test["okm"]


def test_s2_13_there_are_15_nss_vectors() -> None:
    """Without the one whose ikm has an odd number of hexadecimal digits."""
    assert len(NSS) == 15
    assert "aesxcbc-7" not in NSS
    assert {test["prf"] for test in NSS.values()} >= {"PRF_AES128_XCBC", "PRF_HMAC_SHA1", "PRF_HMAC_SHA2_512"}
