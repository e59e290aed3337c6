"""Choosing and checking proposals (Sections 2.7 and 3.3)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref.crypto.transforms import ENCRYPTION
from ikeref.errors import InvalidSyntax, NoProposalChosen
from ikeref.policy import choice
from ikeref.policy.choice import check_policy, child_suite_of, choose, same, suite_of, verify_choice
from ikeref.policy.proposals import DEFAULT_ESP, DEFAULT_IKE, groups_of, parse, weak, without_ke
from ikeref.registry import Encr, Integ, KeGroup, Prf, ProtocolId, TransformType
from ikeref.wire import Attribute, Proposal, Transform

IKE, AH, ESP = ProtocolId.IKE, ProtocolId.AH, ProtocolId.ESP
AES_GCM_256 = Transform(1, 20, (Attribute(14, 256),))
AES_CBC_128 = Transform(1, 12, (Attribute(14, 128),))
PRF_SHA256 = Transform(2, 5)
INTEG_NONE = Transform(3, 0)
INTEG_SHA256 = Transform(3, 12)
X25519 = Transform(4, 31)
KE_NONE = Transform(4, 0)
NO_ESN = Transform(5, 0)

GCM = Proposal(1, 1, b"", (AES_GCM_256, PRF_SHA256, X25519))
CBC = Proposal(2, 1, b"", (AES_CBC_128, PRF_SHA256, INTEG_SHA256, X25519))
ESP_GCM = Proposal(1, 3, b"\1\2\3\4", (AES_GCM_256, NO_ESN))


def test_s2_7_the_answer_has_exactly_one_transform_of_each_type() -> None:
    chosen = choose(DEFAULT_IKE, DEFAULT_IKE)
    assert chosen is not None
    assert [transform.type for transform in chosen.transforms] == [1, 2, 4]


def test_s2_7_six_combinations_of_the_rfcs_example_are_acceptable() -> None:
    offered = parse("3des-aes128-aes256-sha1-sha256", ESP)
    for cipher, integ in product(("3des", "aes128", "aes256"), ("sha1", "sha256")):
        own = parse(f"{cipher}-{integ}", ESP)
        assert choose(offered, own) == own[0]


def test_s3_3_1_the_number_and_protocol_are_those_of_the_offer_and_the_spi_is_ours() -> None:
    chosen = choose((ESP_GCM._replace(number=7),), parse("aes256gcm16", ESP), spi=b"mine")
    assert chosen == Proposal(7, 3, b"mine", (AES_GCM_256, NO_ESN))


def test_s3_3_6_nothing_acceptable_is_none() -> None:
    assert choose((GCM,), (CBC,)) is None
    assert choose((), (CBC,)) is None
    assert choose((GCM,), ()) is None
    assert choose((GCM,), (ESP_GCM,)) is None


def test_s1_2_our_order_decides_and_not_the_offers() -> None:
    assert choose((CBC, GCM), (GCM, CBC)) == GCM
    assert choose((GCM, CBC), (CBC, GCM)) == CBC
    own = parse("aes256gcm16-prfsha256-x25519-ecp256", IKE)
    theirs = parse("aes256gcm16-prfsha256-ecp256-x25519", IKE)
    chosen = choose(theirs, own)
    assert chosen is not None
    assert suite_of(chosen).group == KeGroup.CURVE25519


def test_s1_2_our_order_decides_over_the_offers_proposals_too() -> None:
    own = parse("aes256gcm16-aes128gcm16-prfsha256-x25519-ecp256", IKE)
    theirs = parse("aes256gcm16-prfsha256-ecp256,aes256gcm16-prfsha256-x25519", IKE)
    chosen = choose(theirs, own)
    assert chosen is not None
    assert (chosen.number, suite_of(chosen).group) == (2, KeGroup.CURVE25519)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_s3_3_6_a_missing_mandatory_type_spoils_the_proposal_but_not_the_others(kind: int) -> None:
    lacking = CBC._replace(number=1, transforms=tuple(t for t in CBC.transforms if t.type != kind))
    assert choose((lacking,), (CBC,)) is None
    assert choose((lacking, CBC), (CBC,)) == CBC


@pytest.mark.parametrize("kind", [5, 6, 12, 13, 0, 241])
def test_s3_3_6_an_unknown_transform_type_spoils_the_proposal_but_not_the_others(kind: int) -> None:
    strange = GCM._replace(transforms=(*GCM.transforms, Transform(kind, 1)))
    assert choose((strange,), (GCM,)) is None
    assert choose((strange, GCM._replace(number=2)), (GCM,)) == GCM._replace(number=2)


def test_s3_3_6_an_unknown_attribute_spoils_the_transform_but_not_the_others() -> None:
    strange = Transform(2, 5, (Attribute(15, 1),))
    assert choose((Proposal(1, 1, b"", (AES_GCM_256, strange, X25519)),), (GCM,)) is None
    assert choose((Proposal(1, 1, b"", (AES_GCM_256, strange, PRF_SHA256, X25519)),), (GCM,)) == GCM


def test_s3_3_6_an_unknown_transform_id_spoils_the_transform_but_not_the_others() -> None:
    assert choose((GCM._replace(transforms=(Transform(1, 999), *GCM.transforms)),), (GCM,)) == GCM


@pytest.mark.parametrize(
    "cipher",
    [
        Transform(1, 20),
        Transform(1, 20, (Attribute(14, b"\x01\x00"),)),
        Transform(1, 20, (Attribute(14, 256), Attribute(14, 256))),
        Transform(1, 20, (Attribute(14, 128),)),
        Transform(1, 20, (Attribute(14, 256), Attribute(15, 0))),
    ],
    ids=["absent", "TLV", "twice", "other", "and-unknown"],
)
def test_s3_3_5_aes_is_acceptable_with_exactly_its_key_length(cipher: Transform) -> None:
    assert choose((GCM._replace(transforms=(cipher, PRF_SHA256, X25519)),), (GCM,)) is None


def test_s3_3_5_key_length_is_refused_where_the_key_is_fixed() -> None:
    own = parse("chacha20poly1305-prfsha256-x25519", IKE)
    wrong = Proposal(1, 1, b"", (Transform(1, 28, (Attribute(14, 256),)), PRF_SHA256, X25519))
    assert choose((wrong,), own) is None
    assert choose((wrong._replace(transforms=(Transform(1, 28), PRF_SHA256, X25519)),), own) is not None


def test_s2_5_reserved_octets_are_ignored_and_not_returned() -> None:
    odd = tuple(t._replace(reserved=7, reserved2=9) for t in GCM.transforms)
    assert choose((GCM._replace(transforms=odd, reserved=3),), (GCM,)) == GCM


@pytest.mark.parametrize("integ", [(), (INTEG_NONE,)], ids=["left-out", "NONE"])
@pytest.mark.parametrize("policy", [(), (INTEG_NONE,)], ids=["policy-silent", "policy-NONE"])
def test_s2_7_combined_mode_takes_integ_none_or_no_integ(
    integ: tuple[Transform, ...], policy: tuple[Transform, ...]
) -> None:
    offered = GCM._replace(transforms=(AES_GCM_256, PRF_SHA256, *integ, X25519))
    own = GCM._replace(transforms=(AES_GCM_256, PRF_SHA256, *policy, X25519))
    assert choose((offered,), (own,)) == offered


def test_s2_7_combined_mode_with_an_integrity_algorithm_is_unacceptable() -> None:
    assert choose((GCM._replace(transforms=(*GCM.transforms, INTEG_SHA256)),), (GCM,)) is None


def test_s2_7_a_mixed_offer_yields_a_consistent_suite() -> None:
    mixed = Proposal(1, 1, b"", (AES_CBC_128, AES_GCM_256, PRF_SHA256, INTEG_SHA256, INTEG_NONE, X25519))
    assert choose((mixed,), (GCM,)) == Proposal(1, 1, b"", (AES_GCM_256, PRF_SHA256, INTEG_NONE, X25519))
    assert choose((mixed,), (CBC,)) == CBC._replace(number=1)


def test_s3_3_3_ke_is_optional_in_a_child_sa() -> None:
    with_ke = parse("aes256gcm16-x25519", ESP)
    without = parse("aes256gcm16", ESP)
    either = parse("aes256gcm16-x25519-none", ESP)
    assert choose(with_ke, without) is None
    assert choose(without, with_ke) is None
    assert choose(without, either) == without[0]
    assert choose(with_ke, either) == with_ke[0]
    assert choose(either, without) == Proposal(1, 3, b"", (AES_GCM_256, KE_NONE, NO_ESN))


def test_s3_3_3_ike_can_not_do_without_ke() -> None:
    none = Proposal(1, 1, b"", (AES_GCM_256, PRF_SHA256, KE_NONE))
    assert choose((none,), (GCM,)) is None
    with pytest.raises(ValueError, match="KE can't be NONE"):
        check_policy(none)


@pytest.mark.parametrize("protocol", [AH, ESP])
def test_s3_3_3_sequence_numbers_are_mandatory_in_a_child_sa(protocol: int) -> None:
    own = parse("sha256" if protocol == AH else "aes256gcm16", protocol)
    lacking = own[0]._replace(transforms=tuple(t for t in own[0].transforms if t.type != TransformType.SN))
    assert choose(own, own) == own[0]
    assert choose((lacking,), own) is None


@pytest.mark.parametrize("transforms", [(), (AES_GCM_256,), (PRF_SHA256, X25519)])
def test_a_proposal_with_too_little_is_not_chosen(transforms: tuple[Transform, ...]) -> None:
    assert choose((Proposal(1, 1, b"", transforms),), DEFAULT_IKE) is None


# --- Any offer, any policy -------------------------------------------------------------------------------------------

ciphers = st.sampled_from([AES_GCM_256, AES_CBC_128, Transform(1, 20, (Attribute(14, 128),)), Transform(1, 28)])
transforms = st.one_of(
    ciphers,
    st.builds(Transform, st.integers(1, 6), st.integers(0, 14)),
    st.sampled_from([PRF_SHA256, INTEG_SHA256, INTEG_NONE, X25519, KE_NONE, NO_ESN, Transform(5, 1)]),
)
offers = st.lists(
    st.builds(Proposal, st.integers(1, 4), st.sampled_from([1, 2, 3]), st.just(b""), st.lists(transforms).map(tuple)),
    max_size=5,
).map(tuple)
IKE_WORDS = (("aes256gcm16", "chacha20poly1305", "aes128gcm16"), ("prfsha256", "prfsha1"), ("x25519", "ecp256"))
policies = st.lists(
    st.one_of(
        st.sampled_from(["aes128-sha256-x25519", "aes128-aes256-sha256-sha1-modp2048-x25519"]).map(
            lambda text: parse(text, IKE)
        ),
        st.tuples(*(st.lists(st.sampled_from(w), min_size=1, unique=True) for w in IKE_WORDS)).map(
            lambda parts: parse("-".join(word for words in parts for word in words), IKE)
        ),
        st.sampled_from(["aes256gcm16", "aes256gcm16-x25519-none-noesn-esn", "aes128-sha256-sha1"]).map(
            lambda text: parse(text, ESP)
        ),
        st.sampled_from(["sha256", "sha256-x25519"]).map(lambda text: parse(text, AH)),
    ),
    max_size=3,
).map(lambda parts: tuple(proposal for part in parts for proposal in part))


@st.composite
def related(draw: st.DrawFn) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """A policy, and an offer made of what it accepts, in another order and with strange company."""
    own = draw(policies)
    offered = []
    for number, proposal in enumerate(own, 1):
        extra = draw(st.lists(transforms, max_size=2))
        mixed = draw(st.permutations([*proposal.transforms, *extra]))
        kept = [transform for transform in mixed if draw(st.integers(0, 9))]
        offered.append(Proposal(number, proposal.protocol_id, b"", tuple(kept)))
    return tuple(draw(st.permutations([*offered, *draw(offers)]))), own


Choice = tuple[int, tuple[tuple[int, int, object], ...]]
"""Protocol, and type, ID and attributes of each transform."""


def all_choices(offered: tuple[Proposal, ...], acceptable: tuple[Proposal, ...]) -> list[Choice]:
    """What the RFC allows, by brute force in our order: protocol, and transforms of the types not left out."""
    found: list[Choice] = []
    for own in acceptable:
        kinds = choice.kinds_of(own.protocol_id)
        options = []
        for kind, optional in kinds:
            listed = [t for t in own.transforms if t.type == kind]
            options.append(listed or [Transform(kind, 0)] if optional else listed)
        for combination in product(*options):
            for proposal in offered:
                present = {t.type for t in proposal.transforms}
                if proposal.protocol_id != own.protocol_id or present - {kind for kind, _ in kinds}:
                    continue
                if all(
                    any(same(t, have) for have in proposal.transforms)
                    or (t.type not in present and t.id == 0 and (t.type, True) in kinds)
                    for t in combination
                ):
                    kept = [t for t in combination if t.type in present]
                    found.append((proposal.protocol_id, tuple((t.type, t.id, t.attributes) for t in kept)))
                    break
    return found


def as_tuple(chosen: Proposal) -> Choice:
    return chosen.protocol_id, tuple(sorted((t.type, t.id, t.attributes) for t in chosen.transforms))


@given(st.one_of(related(), st.tuples(offers, policies)))
def test_s3_3_6_the_choice_is_the_first_by_our_order_among_all_allowed_ones(
    case: tuple[tuple[Proposal, ...], tuple[Proposal, ...]],
) -> None:
    offered, own = case
    chosen = choose(offered, own)
    allowed = all_choices(offered, own)
    if chosen is None:
        assert allowed == []
    else:
        assert as_tuple(chosen) == allowed[0]


@given(related())
def test_s3_3_6_what_a_responder_chooses_an_initiator_accepts(
    case: tuple[tuple[Proposal, ...], tuple[Proposal, ...]],
) -> None:
    offered, own = case
    offered = tuple(proposal._replace(number=number) for number, proposal in enumerate(offered, 1))
    chosen = choose(offered, own)
    if chosen is not None:
        assert verify_choice(offered, (chosen,)) == chosen


def test_the_brute_force_would_notice_a_choice_by_the_offers_order() -> None:
    offered, own = parse("aes128-aes256-sha256-x25519", IKE), parse("aes256-aes128-sha256-x25519", IKE)
    by_offer = choose(own, offered)
    assert by_offer is not None
    assert as_tuple(by_offer) != all_choices(offered, own)[0]


# --- The initiator's check -------------------------------------------------------------------------------------------


def test_s3_3_6_the_initiator_accepts_what_it_offered() -> None:
    answer = Proposal(2, 1, b"", CBC.transforms)
    assert verify_choice((GCM, CBC), (answer,)) == answer
    assert verify_choice((ESP_GCM,), (ESP_GCM._replace(spi=b"peer"),)).spi == b"peer"


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        ((), InvalidSyntax, "0 proposals"),
        ((GCM, CBC), InvalidSyntax, "2 proposals"),
        ((GCM._replace(number=3),), NoProposalChosen, "proposal 3 was not offered"),
        ((GCM._replace(protocol_id=3),), NoProposalChosen, "for ESP, the offer was for IKE"),
        ((GCM._replace(spi=b"12345678"),), InvalidSyntax, "8 octets instead of 0"),
        ((CBC._replace(number=1),), NoProposalChosen, "ENCR AES_CBC_128 was not offered"),
        ((GCM._replace(transforms=(AES_GCM_256, PRF_SHA256)),), NoProposalChosen, "no transform of type KE"),
        ((GCM._replace(transforms=(*GCM.transforms, X25519)),), InvalidSyntax, "second of its type"),
        ((GCM._replace(transforms=(*GCM.transforms, INTEG_NONE)),), NoProposalChosen, "INTEG NONE was not offered"),
        (
            (GCM._replace(transforms=(Transform(1, 20), PRF_SHA256, X25519)),),
            NoProposalChosen,
            "AES_GCM_16 was not offered",
        ),
        (
            (GCM._replace(transforms=(*GCM.transforms[:2], Transform(4, 31, (Attribute(99, 1),)))),),
            NoProposalChosen,
            "CURVE25519 with attributes 99 was not offered",
        ),
    ],
)
def test_s3_3_6_the_initiator_refuses_what_it_did_not_offer(
    answer: tuple[Proposal, ...], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        verify_choice((GCM, CBC), answer)


def test_s3_3_3_an_answer_may_say_none_by_leaving_the_type_out() -> None:
    offered = Proposal(1, 3, b"1234", (AES_GCM_256, X25519, KE_NONE, NO_ESN))
    assert verify_choice((offered,), (ESP_GCM,)) == ESP_GCM
    with pytest.raises(NoProposalChosen, match="no transform of type SN"):
        verify_choice((offered,), (ESP_GCM._replace(transforms=(AES_GCM_256,)),))


# --- Suites and policy -----------------------------------------------------------------------------------------------


def test_suites_hold_what_was_chosen() -> None:
    assert suite_of(GCM) == (Encr.AES_GCM_16, 256, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519)
    assert suite_of(CBC) == (Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128, KeGroup.CURVE25519)
    assert child_suite_of(ESP_GCM) == (ESP, Encr.AES_GCM_16, 256, 0, 0, 0)
    assert child_suite_of(parse("sha384-ecp384-esn", AH)[0]) == (AH, 0, 0, Integ.HMAC_SHA2_384_192, KeGroup.ECP_384, 1)


@pytest.mark.parametrize("proposal", [ESP_GCM, GCM._replace(transforms=()), DEFAULT_IKE[0]])
def test_what_is_no_choice_has_no_suite(proposal: Proposal) -> None:
    with pytest.raises(ValueError, match=r"out of place|are no choice"):
        suite_of(proposal)


@pytest.mark.parametrize(
    ("transforms", "reason"),
    [
        ((AES_GCM_256, PRF_SHA256), "no transform of type KE"),
        ((Transform(1, 20), PRF_SHA256, X25519), "needs a Key Length"),
        ((Transform(1, 28, (Attribute(14, 256),)), PRF_SHA256, X25519), "has no Key Length"),
        ((AES_GCM_256, AES_CBC_128, PRF_SHA256, INTEG_SHA256, X25519), "need two proposals"),
        ((AES_GCM_256, PRF_SHA256, INTEG_SHA256, X25519), "no INTEG but NONE"),
        ((AES_CBC_128, PRF_SHA256, X25519), "needs an integrity algorithm"),
        ((AES_CBC_128, PRF_SHA256, INTEG_NONE, X25519), "needs an integrity algorithm"),
        ((*GCM.transforms, NO_ESN), "IKE has no transforms of type SN"),
    ],
)
def test_policy_that_the_rfc_does_not_allow_is_refused(transforms: tuple[Transform, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_policy(Proposal(1, 1, b"", transforms))


@pytest.mark.parametrize("row", ENCRYPTION.values(), ids=lambda row: Encr(row.id).name)
def test_key_length_and_combined_mode_agree_with_the_tables_of_crypto(row: object) -> None:
    encr, fixed, icv = (getattr(row, field) for field in ("id", "fixed", "icv"))
    assert choice.needs_key_length(encr) is not fixed
    assert choice.is_aead(encr) is (icv > 0)


def test_s1_2_policy_for_ike_auth_has_no_ke() -> None:
    (stripped,) = without_ke(parse("aes256gcm16-x25519", ESP))
    assert stripped.transforms == (AES_GCM_256, NO_ESN)


def test_groups_of_an_offer_in_order_and_once() -> None:
    assert groups_of(DEFAULT_IKE) == (31, 19, 20, 15, 14)
    assert groups_of(parse("aes128-sha256-none-modp2048", ESP)) == (14,)


def test_rfc8247_defaults_are_not_weak_and_weak_ones_are_named() -> None:
    assert weak(DEFAULT_IKE + DEFAULT_ESP) == ()
    assert weak(parse("3des-sha1-modp1024", IKE)) == (Transform(1, 3), Transform(4, 2))
    assert weak(parse("null-sha256-modp2048", IKE)) == (Transform(1, 11),)
    assert weak(parse("null-sha256", ESP)) == ()
