"""The notation of proposals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref.crypto import Suite
from ikeref.crypto.real import RealCrypto
from ikeref.policy.proposals import (
    DEFAULT_AH,
    DEFAULT_ESP,
    DEFAULT_IKE,
    WORDS,
    ProposalError,
    format,
    format_all,
    parse,
)
from ikeref.registry import Encr, Integ, KeGroup, Prf, ProtocolId, TransformType
from ikeref.wire import Attribute, Proposal, Transform

IKE, AH, ESP = ProtocolId.IKE, ProtocolId.AH, ProtocolId.ESP


def ids(proposal: Proposal, kind: int) -> list[int]:
    return [transform.id for transform in proposal.transforms if transform.type == kind]


def test_words_become_transforms_in_the_order_of_their_types() -> None:
    assert parse("x25519-aes256gcm16-prfsha256", IKE) == (
        Proposal(1, 1, b"", (Transform(1, 20, (Attribute(14, 256),)), Transform(2, 5), Transform(4, 31))),
    )


def test_several_words_of_a_type_are_alternatives_in_order() -> None:
    (proposal,) = parse("aes256-aes128-sha512-sha256-modp4096-modp2048", IKE)
    assert [t.key_length for t in proposal.transforms if t.type == 1] == [256, 128]
    assert ids(proposal, TransformType.INTEG) == [Integ.HMAC_SHA2_512_256, Integ.HMAC_SHA2_256_128]
    assert ids(proposal, TransformType.KE) == [KeGroup.MODP_4096, KeGroup.MODP_2048]


def test_a_missing_prf_is_derived_from_the_integrity_algorithms() -> None:
    (proposal,) = parse("aes128-aesxcbc-aescmac-sha1-sha384-modp2048", IKE)
    assert ids(proposal, TransformType.PRF) == [
        Prf.AES128_XCBC,
        Prf.AES128_CMAC,
        Prf.HMAC_SHA1,
        Prf.HMAC_SHA2_384,
    ]


def test_a_given_prf_stands() -> None:
    (proposal,) = parse("aes128-sha1-prfsha512-modp2048", IKE)
    assert ids(proposal, TransformType.PRF) == [Prf.HMAC_SHA2_512]


def test_with_a_combined_mode_cipher_the_integrity_word_only_names_the_prf() -> None:
    assert parse("aes128gcm16-sha256-ecp256", IKE) == parse("aes128gcm16-prfsha256-ecp256", IKE)


def test_esp_says_noesn_where_nothing_is_said() -> None:
    assert parse("aes128gcm16", ESP) == parse("aes128gcm16-noesn", ESP)
    assert ids(parse("aes128gcm16-esn-noesn", ESP)[0], TransformType.SN) == [1, 0]


def test_proposals_are_numbered_from_one() -> None:
    assert [p.number for p in parse("aes128-sha1-modp2048, default, aes256gcm16-sha384-ecp384", IKE)] == [1, 2, 3, 4]
    assert parse("default", AH) == DEFAULT_AH


@pytest.mark.parametrize(
    ("text", "protocol", "reason"),
    [
        ("aes128-sha256-modp2047", IKE, r"proposal 1 .*word 3 \('modp2047'\) is not known; did you mean modp2048"),
        ("default,aes128-sha256-frodo", IKE, r"proposal 2 .*'frodo'.*known are ciphers: aes128.*x25519"),
        ("", IKE, "proposal 1 is empty"),
        ("aes128-sha256-modp2048,", IKE, "proposal 2 is empty"),
        ("aes128-aes128-sha256-modp2048", IKE, "word 2 .* says again"),
        ("x25519-curve25519-aes128-sha256", IKE, "word 2 .* says again"),
        ("aes256gcm16-x25519", IKE, "lacks a pseudorandom function, such as prfsha256"),
        ("aes256gcm16-prfsha256", IKE, "lacks a key exchange method"),
        ("aes256gcm16-aes128-sha256-modp2048", IKE, "need two proposals"),
        ("aes256gcm16-sha256-prfsha256-x25519", IKE, "no INTEG but NONE"),
        ("aes256-prfsha256-x25519", IKE, "needs an integrity algorithm"),
        ("aes256gcm16-prfsha256-x25519-esn", IKE, "IKE has no transforms of type SN"),
        ("aes256gcm16-prfsha256-none", IKE, "KE can't be NONE"),
        ("aes256gcm16-sha256", ESP, "no INTEG but NONE"),
        ("aes256", ESP, "needs an integrity algorithm"),
        ("aes256gcm16-prfsha256", ESP, "ESP has no transforms of type PRF"),
        ("aes256gcm16", AH, "AH has no transforms of type ENCR"),
        ("esn", AH, "INTEG, which is mandatory"),
        (",".join(["aes256gcm16"] * 256), ESP, "256 proposals are more"),
    ],
)  # fmt: skip
def test_errors_say_what_where_and_what_would_be_known(text: str, protocol: int, reason: str) -> None:
    with pytest.raises(ProposalError, match=reason):
        parse(text, protocol)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.text)
def test_every_word_names_a_transform_that_is_implemented(word: object) -> None:
    kind, number, bits = (getattr(word, field) for field in ("kind", "id", "key_bits"))
    suite = Suite(Encr.AES_GCM_16, 128, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519)
    if kind == TransformType.ENCR:
        integ = Integ.HMAC_SHA2_256_128 if number in (Encr.AES_CBC, Encr.AES_CTR, Encr.TRIPLE_DES, Encr.NULL) else 0
        suite = suite._replace(encr=number, key_bits=bits, integ=integ)
    elif kind == TransformType.PRF:
        suite = suite._replace(prf=number)
    elif kind == TransformType.INTEG:
        suite = suite._replace(encr=Encr.AES_CBC, integ=number)
    elif kind == TransformType.KE and number:
        suite = suite._replace(group=number)
    assert RealCrypto(legacy=True, null=True).supports(suite)


def test_unknown_transforms_are_shown_by_name_or_number() -> None:
    strange = (Transform(1, 23, (Attribute(14, 128),)), Transform(4, 1025), Transform(6, 36), Transform(250, 3))
    assert format(Proposal(1, 1, b"", strange)) == "ENCR:CAMELLIA_CBC_128-KE:1025-ADDKE1:ML_KEM_768-250:3"


def test_defaults_are_written_as_short_as_can_be() -> None:
    assert format_all(parse("aes128-sha256-prfsha256-curve25519, aes128gcm-sha384-ecp384", IKE)) == (
        "aes128-sha256-x25519, aes128gcm16-prfsha384-ecp384"
    )


def words(kind: int) -> st.SearchStrategy[list[str]]:
    texts = {word.transform(): word.text for word in reversed(WORDS) if word.kind == kind}
    return st.lists(st.sampled_from(sorted(texts.values())), min_size=1, max_size=4, unique=True)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, int]:
    """A text that `parse` may refuse, but only by ProposalError."""
    protocol = draw(st.sampled_from([IKE, ESP, AH]))
    texts = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = draw(st.lists(st.integers(1, 5), min_size=1, unique=True))
        texts.append("-".join(word for kind in kinds for word in draw(words(kind))))
    return draw(st.sampled_from([",", " , "])).join(texts), protocol


@given(written())
def test_parsing_what_was_formatted_gives_the_same_proposals(case: tuple[str, int]) -> None:
    text, protocol = case
    try:
        proposals = parse(text, protocol)
    except ProposalError:
        return
    assert parse(format_all(proposals), protocol) == proposals


@pytest.mark.parametrize("proposals", [DEFAULT_IKE, DEFAULT_ESP, DEFAULT_AH])
def test_the_defaults_survive_the_round_trip(proposals: tuple[Proposal, ...]) -> None:
    assert parse(format_all(proposals), proposals[0].protocol_id) == proposals


@given(st.text(alphabet="aes1286gcmprfx-,!@", max_size=30), st.sampled_from([IKE, ESP, AH]))
def test_any_text_is_proposals_or_a_proposal_error(text: str, protocol: int) -> None:
    try:
        found = parse(text, protocol)
    except ProposalError:
        return
    assert found
