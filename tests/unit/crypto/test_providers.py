"""What every provider promises: the same tests on `real` and `free` (Sections 2.12 to 2.14 and 3.14, RFC 7383)."""

import os
from collections.abc import Iterator

import pytest

from ikeref import wire
from ikeref.crypto import Provider, Suite
from ikeref.crypto.envelope import (
    Fragment,
    protect,
    protect_fragment,
    reassemble,
    unprotect,
    unprotect_fragment,
)
from ikeref.crypto.free import FreeCrypto
from ikeref.crypto.real import RealCrypto
from ikeref.crypto.schedule import IkeKeys, ike_keys, skeyseed
from ikeref.crypto.transforms import ENCRYPTION, is_aead
from ikeref.errors import Dropped, InvalidSyntax, LocalProtocolError, UnsupportedCriticalPayload
from ikeref.registry import Encr, ExchangeType, Integ, KeGroup, NotifyType, Prf

PROVIDERS: dict[str, Provider] = {"real": RealCrypto(legacy=True, null=True), "free": FreeCrypto()}
REAL = PROVIDERS["real"]


def _suites() -> Iterator[Suite]:
    """Every encryption algorithm with every key size; the others in turn."""
    prfs = [Prf.HMAC_SHA1, Prf.AES128_XCBC, Prf.HMAC_SHA2_256, Prf.HMAC_SHA2_384, Prf.HMAC_SHA2_512, Prf.AES128_CMAC]
    integs = [
        Integ.HMAC_SHA1_96,
        Integ.AES_XCBC_96,
        Integ.AES_CMAC_96,
        Integ.HMAC_SHA2_256_128,
        Integ.HMAC_SHA2_384_192,
        Integ.HMAC_SHA2_512_256,
    ]
    groups = [KeGroup.CURVE25519, KeGroup.ECP_256]
    count = 0
    for row in ENCRYPTION.values():
        for bits in row.key_bits:
            for integ in [Integ.NONE] if row.icv else integs:
                suite = Suite(row.id, 0 if row.fixed else bits, prfs[count % 6], integ, groups[count % 2])
                if REAL.supports(suite):
                    count += 1
                    yield suite


SUITES = list(_suites())
GCM = Suite(Encr.AES_GCM_16, 256, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519)
CBC = Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128, KeGroup.CURVE25519)


@pytest.fixture(params=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


def keys_for(provider: Provider, suite: Suite) -> IkeKeys:
    return ike_keys(provider, suite, b"seed", b"i" * 32, b"r" * 32, b"I" * 8, b"R" * 8)


def message(*payloads: wire.Payload) -> wire.Message:
    return wire.Message(b"I" * 8, b"R" * 8, ExchangeType.INFORMATIONAL, wire.FLAG_INITIATOR, 7, payloads)


def test_the_suites_below_are_all_that_we_have() -> None:
    assert {suite.encr for suite in SUITES} == {
        Encr.AES_CBC,
        Encr.AES_CTR,
        Encr.AES_CCM_8,
        Encr.AES_CCM_12,
        Encr.AES_CCM_16,
        Encr.AES_GCM_8,
        Encr.AES_GCM_12,
        Encr.AES_GCM_16,
        Encr.CHACHA20_POLY1305,
        Encr.TRIPLE_DES,
        Encr.NULL,
    }
    assert len({suite.integ for suite in SUITES}) == 7
    assert len({suite.prf for suite in SUITES}) == 6


@pytest.mark.parametrize("group", [KeGroup.CURVE25519, KeGroup.ECP_256, KeGroup.MODP_2048])
def test_s2_14_both_sides_agree(provider: Provider, group: int) -> None:
    x, public_x = provider.generate(group, os.urandom)
    y, public_y = provider.generate(group, os.urandom)
    z, _ = provider.generate(group, os.urandom)
    assert len(public_x) == provider.public_size(group)
    assert provider.agree(group, x, public_y) == provider.agree(group, y, public_x)
    assert provider.agree(group, z, public_y) != provider.agree(group, x, public_y)


def test_s3_4_a_public_value_of_another_group_is_refused(provider: Provider) -> None:
    private, _ = provider.generate(KeGroup.CURVE25519, os.urandom)
    _, other = provider.generate(KeGroup.ECP_256, os.urandom)
    for public in (other, b"", b"\0"):
        with pytest.raises(InvalidSyntax):
            provider.agree(KeGroup.CURVE25519, private, public)


@pytest.mark.parametrize("prf", [Prf.HMAC_SHA2_256, Prf.AES128_XCBC])
def test_s2_13_prfs_depend_on_everything(provider: Provider, prf: int) -> None:
    outputs = {
        provider.prf(prf, b"key", b"data"),
        provider.prf(prf, b"kez", b"data"),
        provider.prf(prf, b"key", b"datb"),
        provider.prf(prf, b"keyd", b"ata"),
        provider.prf_plus(prf, b"key", b"data", 16),
    }
    assert len(outputs) == 5
    assert provider.prf_plus(prf, b"key", b"data", 99)[:40] == provider.prf_plus(prf, b"key", b"data", 40)


def test_s2_14_all_keys_differ(provider: Provider) -> None:
    keys = keys_for(provider, CBC)
    assert len(set(keys)) == 7
    seed = skeyseed(provider, Prf.HMAC_SHA2_256, b"i" * 32, b"r" * 32, b"g")
    assert seed != skeyseed(provider, Prf.HMAC_SHA2_256, b"i" * 32, b"r" * 32, b"h")


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_s3_14_round_trip(provider: Provider, suite: Suite) -> None:
    keys = keys_for(provider, suite)
    for size in (0, 1, 14, 15, 16, 17, 250):
        original = message(wire.N(NotifyType.INITIAL_CONTACT), wire.V(bytes(size)))
        iv = os.urandom(provider.iv_size(suite))
        datagram = protect(provider, suite, keys.sk_ei, keys.sk_ai, original, iv)
        opened = unprotect(provider, suite, keys.sk_ei, keys.sk_ai, datagram)
        assert opened.message == original
        assert opened.iv == iv
        assert len(opened.padding) < max(provider.block_size(suite), 1)
        assert wire.peek(datagram).length == len(datagram)
        again = protect(provider, suite, keys.sk_ei, keys.sk_ai, opened.message, opened.iv, opened.padding)
        assert again == datagram
        assert unprotect(provider, suite, keys.sk_ei, keys.sk_ai, datagram, wire.decode(datagram)) == opened


@pytest.mark.parametrize("suite", [GCM, CBC], ids=["gcm", "cbc"])
def test_s2_21_4_any_changed_octet_is_dropped(provider: Provider, suite: Suite) -> None:
    keys = keys_for(provider, suite)
    iv = bytes(provider.iv_size(suite))
    datagram = protect(provider, suite, keys.sk_ei, keys.sk_ai, message(wire.V(b"v")), iv)
    body = len(datagram) - 32
    for place in range(len(datagram)):
        changed = datagram[:place] + bytes((datagram[place] ^ 1,)) + datagram[place + 1 :]
        with pytest.raises(Dropped):
            provider.decrypt(suite, keys.sk_ei, keys.sk_ai, changed[:32], changed[-body:])
    for cut in range(body):
        with pytest.raises(Dropped):
            provider.decrypt(suite, keys.sk_ei, keys.sk_ai, datagram[:32], datagram[32 : 32 + cut])


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_s2_13_any_octets_of_the_right_size_are_a_key(provider: Provider, suite: Suite) -> None:
    """7296-2.13-02; altered is an octet of the key that authenticates: then nothing opens."""
    sizes = keys_for(provider, suite)
    for fill in (b"\0", b"\1", b"\x5a", b"\xff"):
        sk_e, sk_a = fill * len(sizes.sk_ei), fill * len(sizes.sk_ai)
        datagram = protect(provider, suite, sk_e, sk_a, message(), bytes(provider.iv_size(suite)))
        assert unprotect(provider, suite, sk_e, sk_a, datagram).message == message()
        other = bytes((fill[0] ^ 2,))
        keys = (other + sk_e[1:], sk_a) if is_aead(suite.encr) else (sk_e, other + sk_a[1:])
        with pytest.raises(Dropped):
            unprotect(provider, suite, *keys, datagram)


@pytest.mark.parametrize("suite", [GCM, CBC], ids=["gcm", "cbc"])
def test_s2_14_keys_of_the_other_direction_open_nothing(provider: Provider, suite: Suite) -> None:
    keys = keys_for(provider, suite)
    iv = bytes(provider.iv_size(suite))
    datagram = protect(provider, suite, keys.sk_ei, keys.sk_ai, message(), iv)
    with pytest.raises(Dropped):
        unprotect(provider, suite, keys.sk_er, keys.sk_ar, datagram)
    if not is_aead(suite.encr):
        with pytest.raises(Dropped):
            unprotect(provider, suite, keys.sk_ei, keys.sk_ar, datagram)


def test_s3_14_padding_up_to_255_octets_of_any_value(provider: Provider) -> None:
    keys = keys_for(provider, GCM)
    iv = bytes(provider.iv_size(GCM))
    for padding in (b"", b"\xff", os.urandom(255)):
        datagram = protect(provider, GCM, keys.sk_ei, keys.sk_ai, message(wire.V(b"v")), iv, padding)
        assert unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, datagram).padding == padding
    with pytest.raises(LocalProtocolError):
        protect(provider, GCM, keys.sk_ei, keys.sk_ai, message(), iv, bytes(256))


def test_s3_14_padding_has_to_fill_the_block() -> None:
    keys = keys_for(REAL, CBC)
    with pytest.raises(LocalProtocolError):
        protect(REAL, CBC, keys.sk_ei, keys.sk_ai, message(), bytes(16), b"")
    datagram = protect(REAL, CBC, keys.sk_ei, keys.sk_ai, message(), bytes(16), bytes(31))
    assert unprotect(REAL, CBC, keys.sk_ei, keys.sk_ai, datagram).padding == bytes(31)


@pytest.mark.parametrize("plaintext", [b"", b"\1", b"\0\0\0\5", b"\xff"], ids=bytes.hex)
def test_s3_14_a_pad_length_that_is_too_long_is_invalid_syntax(provider: Provider, plaintext: bytes) -> None:
    """Authenticated, but malformed: the peer is to be told (Section 2.21.3)."""
    keys = keys_for(provider, GCM)
    size = provider.iv_size(GCM) + len(plaintext) + provider.icv_size(GCM)
    prefix = wire.encode(message(wire.SK(0, bytes(size))))[:-size]
    body = provider.encrypt(GCM, keys.sk_ei, keys.sk_ai, prefix, bytes(provider.iv_size(GCM)), plaintext)
    with pytest.raises(InvalidSyntax):
        unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, prefix + body)


def test_s3_14_ciphertext_that_is_no_multiple_of_the_block_is_invalid_syntax() -> None:
    keys = keys_for(REAL, CBC)
    stream = CBC._replace(encr=Encr.AES_CTR)
    prefix, octets = bytes(32), bytes(16 + 12)
    body = octets + REAL.encrypt(CBC._replace(encr=Encr.NULL), b"", keys.sk_ai, prefix, octets, b"")[len(octets) :]
    with pytest.raises(InvalidSyntax, match="block size"):
        REAL.decrypt(CBC, keys.sk_ei, keys.sk_ai, prefix, body)
    assert REAL.decrypt(stream, keys.sk_ei + bytes(4), keys.sk_ai, prefix, body)[0] == bytes(8)


def test_s2_5_critical_payloads_inside_are_refused_only_after_the_icv(provider: Provider) -> None:
    keys = keys_for(provider, GCM)
    iv = bytes(provider.iv_size(GCM))
    datagram = protect(provider, GCM, keys.sk_ei, keys.sk_ai, message(wire.Unknown(200, b"x", wire.CRITICAL)), iv)
    with pytest.raises(UnsupportedCriticalPayload):
        unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, datagram)
    with pytest.raises(Dropped):
        unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, datagram[:-1] + bytes((datagram[-1] ^ 1,)))


def test_s3_14_payloads_in_front_of_sk_stay_apart(provider: Provider) -> None:
    keys = keys_for(provider, GCM)
    iv = bytes(provider.iv_size(GCM))
    outer = (wire.N(NotifyType.AUTHENTICATION_FAILED),)
    inner = message(wire.V(b"v"))
    datagram = protect(provider, GCM, keys.sk_ei, keys.sk_ai, inner, iv, outer=outer, flags=0x7F)
    opened = unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, datagram)
    assert opened.message == inner
    assert (opened.outer, opened.flags) == (outer, 0x7F)


def test_s3_14_only_encrypted_messages_can_be_opened(provider: Provider) -> None:
    keys = keys_for(provider, GCM)
    for plain in (message(), message(wire.V(b"v"))):
        with pytest.raises(LocalProtocolError):
            unprotect(provider, GCM, keys.sk_ei, keys.sk_ai, wire.encode(plain))
        with pytest.raises(LocalProtocolError):
            unprotect_fragment(provider, GCM, keys.sk_ei, keys.sk_ai, wire.encode(plain))


def test_s3_2_a_message_that_is_too_long_is_refused(provider: Provider) -> None:
    keys = keys_for(provider, GCM)
    iv = bytes(provider.iv_size(GCM))
    with pytest.raises(LocalProtocolError):
        protect(provider, GCM, keys.sk_ei, keys.sk_ai, message(wire.V(bytes(65531))), iv)


@pytest.mark.parametrize("suite", [GCM, CBC], ids=["gcm", "cbc"])
def test_rfc7383_fragments_come_back_in_any_order(provider: Provider, suite: Suite) -> None:
    keys = keys_for(provider, suite)
    original = message(wire.V(bytes(300)), wire.V(b"end"))
    content = wire.encode_payloads(original.payloads)
    pieces = [content[start : start + 100] for start in range(0, len(content), 100)]
    datagrams = []
    for count, piece in enumerate(pieces, 1):
        first = wire.first_type(original.payloads) if count == 1 else 0
        iv = os.urandom(provider.iv_size(suite))
        padding = bytes(-(len(piece) + 1) % provider.block_size(suite))
        fragment = Fragment(original._replace(payloads=()), count, len(pieces), first, piece, iv, padding)
        datagrams.append(protect_fragment(provider, suite, keys.sk_ei, keys.sk_ai, fragment))
    fragments = [unprotect_fragment(provider, suite, keys.sk_ei, keys.sk_ai, datagram) for datagram in datagrams]
    assert reassemble(reversed(fragments)) == original
    assert [protect_fragment(provider, suite, keys.sk_ei, keys.sk_ai, fragment) for fragment in fragments] == datagrams
    for incomplete in (fragments[1:], fragments[:-1], [*fragments, fragments[0]], []):
        with pytest.raises(LocalProtocolError):
            reassemble(incomplete)


def test_s3_3_3_suites_that_do_not_fit_together_are_not_supported() -> None:
    for bad in (
        GCM._replace(integ=Integ.HMAC_SHA2_256_128),
        CBC._replace(integ=Integ.NONE),
        GCM._replace(key_bits=0),
        GCM._replace(key_bits=257),
        GCM._replace(encr=Encr.CAMELLIA_CBC),
        GCM._replace(encr=999),
        GCM._replace(prf=Prf.HMAC_MD5),
        GCM._replace(group=KeGroup.NONE),
        GCM._replace(group=KeGroup.ML_KEM_768),
    ):
        assert not REAL.supports(bad), bad
    assert REAL.supports(GCM)
    assert REAL.supports(CBC)


def test_rfc8247_3des_and_null_need_to_be_asked_for() -> None:
    plain = RealCrypto()
    for encr in (Encr.TRIPLE_DES, Encr.NULL):
        suite = CBC._replace(encr=encr, key_bits=0)
        assert not plain.supports(suite)
        assert REAL.supports(suite)
        with pytest.raises(LocalProtocolError, match="is not supported"):
            plain.encrypt(suite, b"", bytes(32), b"", b"", b"\0")


def test_free_is_deterministic_given_its_randomness() -> None:
    free = FreeCrypto()
    assert free.generate(31, lambda n: b"\7" * n) == free.generate(31, lambda n: b"\7" * n)
