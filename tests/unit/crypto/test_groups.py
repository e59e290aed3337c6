"""Key exchange: vectors, sizes, and public values that must be refused (Sections 2.14 and 3.4, RFC 6989)."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ikeref import wire
from ikeref.crypto import modp
from ikeref.crypto.free import FreeCrypto
from ikeref.crypto.groups import GROUP_FUNCTIONS, LEGACY_GROUP_FUNCTIONS
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.transforms import GROUPS
from ikeref.errors import InvalidSyntax, LocalProtocolError
from ikeref.registry import KeGroup

REAL = RealCrypto(legacy=True)
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc" / "key_exchange.json").read_text())
ALL = GROUP_FUNCTIONS | LEGACY_GROUP_FUNCTIONS
MODP = [group for group in ALL if KeGroup(group).name.startswith("MODP")]
CURVES = [group for group in ALL if KeGroup(group).name.startswith(("ECP", "BRAINPOOL"))]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["group"])
def test_rfc5903_rfc6954_rfc8031_vectors(vector: dict[str, Any]) -> None:
    group = KeGroup[vector["group"]]

    def drawn(side: str) -> bytes:
        private = bytes.fromhex(vector[side])
        if group == KeGroup.ECP_521:  # 521 bits are drawn as 66 octets without their last 7 bits
            return (int.from_bytes(private) << 7).to_bytes(66)
        return private

    i, public_i = REAL.generate(group, lambda _: drawn("private_i"))
    r, public_r = REAL.generate(group, lambda _: drawn("private_r"))
    assert public_i.hex() == vector["public_i"]
    assert public_r.hex() == vector["public_r"]
    assert REAL.agree(group, i, public_r).hex() == vector["secret"]
    assert REAL.agree(group, r, public_i).hex() == vector["secret"]


@pytest.mark.parametrize(
    ("group", "digest"),
    [
        (KeGroup.MODP_1024, "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0"),
        (KeGroup.MODP_1536, "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b"),
        (KeGroup.MODP_2048, "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e"),
        (KeGroup.MODP_3072, "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c"),
        (KeGroup.MODP_4096, "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33"),
        (KeGroup.MODP_6144, "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd"),
        (KeGroup.MODP_8192, "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf"),
    ],
)
def test_rfc3526_moduli_are_those_that_others_use(group: int, digest: str) -> None:
    """The digests are of the moduli that OpenSSL has, and for group 2 of Appendix B.2. The generator is 2."""
    p = modp.modulus(group)
    private, public = modp.generate(group, bytes)
    assert int.from_bytes(public) == pow(2, private.value, p)
    assert sha256(p.to_bytes(GROUPS[group].public)).hexdigest() == digest


@pytest.mark.parametrize("group", list(ALL))
def test_s2_14_both_sides_agree_and_sizes_are_right(group: int) -> None:
    x, public_x = REAL.generate(group, os.urandom)
    y, public_y = REAL.generate(group, os.urandom)
    assert public_x != public_y
    secret = REAL.agree(group, x, public_y)
    assert secret == REAL.agree(group, y, public_x)
    assert len(public_x) == len(public_y) == REAL.public_size(group) == GROUPS[group].public
    assert len(secret) == GROUPS[group].secret


@pytest.mark.parametrize("group", list(ALL))
def test_s2_14_the_private_value_comes_from_the_randomness_given(group: int) -> None:
    draws = iter(range(1, 100))
    _, first = REAL.generate(group, lambda n: bytes((next(draws),)) * n)
    _, second = REAL.generate(group, lambda n: bytes((next(draws),)) * n)
    _, again = REAL.generate(group, lambda n: b"\1" * n)
    assert first == again != second


@pytest.mark.parametrize("group", list(GROUPS))
def test_s3_4_sizes_agree_with_those_that_decoding_checks(group: int) -> None:
    assert wire.KE_SIZES[group] == GROUPS[group].public


@pytest.mark.parametrize("group", [KeGroup.MODP_1024, KeGroup.MODP_2048, KeGroup.ECP_256])
def test_s2_14_leading_zeros_of_g_ir_are_kept(group: int) -> None:
    """About one secret in 256 starts with a zero octet: search one."""
    private, _ = REAL.generate(group, lambda n: b"\x11" * n)
    if group == KeGroup.ECP_256:
        draws = (i for i in range(1, 5000))
        publics = (REAL.generate(group, lambda n: next(draws).to_bytes(n))[1] for _ in range(1, 5000))
    else:
        publics = (i.to_bytes(GROUPS[group].public) for i in range(2, 5000))
    secret = next(s for s in (REAL.agree(group, private, public) for public in publics) if s[0] == 0)
    assert len(secret) == GROUPS[group].secret


@pytest.mark.parametrize("group", [KeGroup.MODP_1024, KeGroup.MODP_2048])
def test_s3_4_leading_zeros_of_a_public_value_are_sent(group: int) -> None:
    """7296-3.4-02: it is as long as the prime. About one in 256 starts with a zero octet: search one."""
    draws = (REAL.generate(group, lambda n: i.to_bytes(n))[1] for i in range(5000))  # noqa: B023  # drawn at once
    public = next(each for each in draws if each[0] == 0)
    assert len(public) == GROUPS[group].public


@pytest.mark.parametrize("group", MODP)
@pytest.mark.parametrize("bad", ["0", "1", "p-1", "p", "p+1", "all ones", "short", "long", "empty"])
def test_rfc6989_bad_modp_values_are_refused(group: int, bad: str) -> None:
    size, p = GROUPS[group].public, modp.modulus(group)
    public = {
        "0": bytes(size),
        "1": (1).to_bytes(size),
        "p-1": (p - 1).to_bytes(size),
        "p": p.to_bytes(size),
        "p+1": (p + 1).to_bytes(size),
        "all ones": b"\xff" * size,
        "short": b"\7" * (size - 1),
        "long": bytes(1) + b"\7" * size,
        "empty": b"",
    }[bad]
    with pytest.raises(InvalidSyntax):
        REAL.agree(group, modp.Exponent(3), public)


@pytest.mark.parametrize("group", MODP)
def test_rfc6989_the_outermost_good_modp_values_are_taken(group: int) -> None:
    size, p = GROUPS[group].public, modp.modulus(group)
    assert REAL.agree(group, modp.Exponent(3), (2).to_bytes(size)) == (8).to_bytes(size)
    assert REAL.agree(group, modp.Exponent(3), (p - 2).to_bytes(size)) == (p - 8).to_bytes(size)


@pytest.mark.parametrize("group", CURVES)
@pytest.mark.parametrize("bad", ["zeros", "ones", "off curve", "short", "long", "empty", "tagged"])
def test_rfc6989_bad_points_are_refused(group: int, bad: str) -> None:
    private, public = REAL.generate(group, os.urandom)
    size = len(public)
    values = {
        "zeros": bytes(size),
        "ones": b"\xff" * size,
        "off curve": public[:-1] + bytes((public[-1] ^ 1,)),
        "short": public[:-1],
        "long": public + b"\0",
        "empty": b"",
        "tagged": b"\4" + public,
    }
    assert REAL.agree(group, private, public)
    with pytest.raises(InvalidSyntax):
        REAL.agree(group, private, values[bad])


# Points of small order: the shared secret would be all zeros (RFC 7748 section 6).
SMALL_ORDER_25519 = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]
SMALL_ORDER_448 = [
    bytes(56),
    (1).to_bytes(56, "little"),
    (2**448 - 2**224 - 2).to_bytes(56, "little"),
    (2**448 - 2**224 - 1).to_bytes(56, "little"),
    (2**448 - 2**224).to_bytes(56, "little"),
]


@pytest.mark.parametrize(
    ("group", "public"),
    [(KeGroup.CURVE25519, point) for point in SMALL_ORDER_25519]
    + [(KeGroup.CURVE448, point) for point in SMALL_ORDER_448]
    + [(KeGroup.CURVE25519, bytes([9]) * n) for n in (0, 31, 33)]
    + [(KeGroup.CURVE448, bytes([5]) * n) for n in (0, 55, 57)],
)
def test_rfc8031_useless_montgomery_values_are_refused(group: int, public: bytes) -> None:
    private, _ = REAL.generate(group, os.urandom)
    with pytest.raises(InvalidSyntax):
        REAL.agree(group, private, public)


def test_s3_3_2_every_other_group_number_is_refused_by_name() -> None:
    for provider in (REAL, FreeCrypto()):
        for group in range(2**16):
            if provider.supports_group(group):
                continue
            assert provider.public_size(group) == 0
            with pytest.raises(LocalProtocolError, match="is not supported"):
                provider.generate(group, os.urandom)


def test_rfc8247_weak_groups_need_to_be_asked_for() -> None:
    for group in (KeGroup.MODP_1024, KeGroup.MODP_1536):
        assert not RealCrypto().supports_group(group)
        assert REAL.supports_group(group)


def test_a_private_exponent_does_not_show_itself() -> None:
    exponent = modp.Exponent(0x1234567)
    assert "1234567" not in repr(exponent)
    assert str(0x1234567) not in repr(exponent)
