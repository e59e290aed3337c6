"""Why not? Refusals explained to the person at our end, and not on the wire (Sections 2.7, 2.9, 3.10.1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa
from ikeref.policy import addresses, explain, proposals
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.wire import Attribute, N, Proposal, TrafficSelector, Transform


def ike(text: str) -> tuple[Proposal, ...]:
    return proposals.parse(text, ProtocolId.IKE)


def esp(text: str) -> tuple[Proposal, ...]:
    return proposals.parse(text, ProtocolId.ESP)


def ts(text: str) -> tuple[TrafficSelector, ...]:
    return tuple(addresses.from_text(part) for part in text.split())


def check_the_pair_that_differs_least_is_shown_side_by_side() -> None:
    text = explain.suites(
        ike("aes128-sha256-modp2048, aes256gcm16-prfsha256-x25519"),
        ike("chacha20poly1305-prfsha512-ecp256, aes256gcm16-prfsha384-prfsha512-x25519"),
    )
    assert text.splitlines() == [
        "          offered: proposal 2  acceptable here: proposal 2",
        "protocol  IKE                  IKE",
        "ENCR      AES_GCM_16-256       AES_GCM_16-256",
        "PRF       HMAC_SHA2_256        HMAC_SHA2_384, HMAC_SHA2_512  <- nothing in common",
        "KE        CURVE25519           CURVE25519",
        "also offered: IKE AES_CBC-128, HMAC_SHA2_256, HMAC_SHA2_256_128, MODP_2048",
        "also acceptable: IKE CHACHA20_POLY1305, HMAC_SHA2_512, ECP_256",
    ]


def check_a_key_length_counts() -> None:
    (line,) = failing(explain.suites(ike("aes128gcm16-prfsha256-x25519"), ike("aes256gcm16-prfsha256-x25519")))
    assert line.split() == ["ENCR", "AES_GCM_16-128", "AES_GCM_16-256", "<-", "nothing", "in", "common"]


def check_what_is_left_out_counts_as_none() -> None:
    """Section 3.3.3: INTEG with a combined-mode cipher, and KE of a Child SA."""
    text = explain.suites(esp("aes256gcm16-x25519"), esp("aes256gcm16-esn"))
    assert [line.split()[0] for line in failing(text)] == ["KE", "SN"]
    assert not failing(explain.suites(esp("aes256gcm16-x25519-none"), esp("aes256gcm16")))


def check_an_unknown_transform_type_spoils_a_proposal() -> None:
    """7296-3.3.6-07."""
    (good,) = ike("aes256gcm16-prfsha256-x25519")
    strange = good._replace(transforms=(*good.transforms, Transform(241, 7)))
    (line,) = failing(explain.suites((strange,), (good,)))
    assert line.startswith("241")
    assert line.endswith("<- a type that this protocol has not")


def check_another_protocol_is_farthest() -> None:
    ah = proposals.parse("sha256", ProtocolId.AH)
    (line,) = failing(explain.suites(ah, esp("aes128gcm16")))
    assert line.split() == ["protocol", "AH", "ESP", "<-", "another", "protocol"]
    assert failing(explain.suites((*ah, *esp("aes256gcm16")), esp("aes128gcm16")))[0].startswith("ENCR")


def check_traffic_says_which_side_has_nothing() -> None:
    text = explain.traffic(
        ts("10.1.0.0/16 2001:db8::1"),
        ts("10.2.0.0/16[tcp/443]"),
        [
            explain.Policy("net", ts("10.1.0.0/24"), ts("10.2.0.0/16[udp]")),
            explain.Policy("web", ts("10.9.0.0/24"), ts("10.8.0.0/16")),
        ],
    )
    assert text.splitlines() == [
        "offered: TSi 10.1.0.0/16, 2001:db8::1, TSr 10.2.0.0/16[tcp/443]",
        "Child SA net: TSi 10.1.0.0/24, TSr 10.2.0.0/16[udp]  <- nothing in common in TSr",
        "Child SA web: TSi 10.9.0.0/24, TSr 10.8.0.0/16  <- nothing in common in TSi and TSr",
    ]


def failing(text: str) -> list[str]:
    return [line for line in text.splitlines() if "<-" in line]


CHECKS = (
    check_the_pair_that_differs_least_is_shown_side_by_side,
    check_a_key_length_counts,
    check_what_is_left_out_counts_as_none,
    check_an_unknown_transform_type_spoils_a_proposal,
    check_another_protocol_is_farthest,
    check_traffic_says_which_side_has_nothing,
)


@pytest.mark.parametrize("check", CHECKS)
def test_s2_7_and_s2_9(check: Callable[[], None]) -> None:
    check()


def test_nothing_makes_it_long() -> None:
    many = tuple(Transform(1, number, (Attribute(14, 128),)) for number in range(500))
    huge = tuple(Proposal(number % 255, 1, b"", many) for number in range(200))
    assert len(explain.suites(huge, huge[:20])) < 10_000
    wide = ts(" ".join(f"10.{number}.0.0/16" for number in range(250)))
    text = explain.traffic(wide, wide, [explain.Policy("net", wide, wide)] * 100)
    assert len(text) < 10_000


def test_an_empty_side_is_said() -> None:
    assert explain.suites((), ike("default")) == "nothing was offered"
    assert explain.suites(ike("default"), ()) == "policy has no proposal for it"
    assert explain.traffic((), (), []).splitlines() == [
        "offered: TSi nothing, TSr nothing",
        "policy has no Child SA for it",
    ]


# --- Between two ends ------------------------------------------------------------------------------------------------


def refuse(**theirs: Any) -> Pair:
    policy = connection(B)
    changes = {key: theirs[key] for key in theirs if key in ("proposals", "local_ts")}
    children = tuple(replace(each, **changes) for each in policy.children)
    others = {key: theirs[key] for key in theirs if key not in changes}
    made = Pair(2, connections={A: connection(A), B: replace(policy, children=children, **others)})
    made.initiate(A)
    made.deliver_all()
    return made


def told(made: Pair, end: str) -> str:
    audits = [
        each.reason
        for record in made.records
        for each in record.outputs
        if record.end == end and type(each) is sa.Audit
    ]
    return "\n".join(audits)


def notifications(made: Pair, kind: int) -> list[N]:
    """As B sent them, protected or not."""
    return [
        payload
        for record in made.records
        for each in record.outputs
        if type(each) is sa.Transmit and each.message is not None
        for payload in each.message.payloads
        if type(payload) is N and payload.type == kind
    ]


@pytest.mark.parametrize(
    ("theirs", "refusal", "theirs_say", "ours_say"),
    [
        (
            {"ike_proposals": ike("aes256gcm16-prfsha256-ecp256")},
            NotifyType.NO_PROPOSAL_CHOSEN,
            "KE        CURVE25519           ECP_256  <- nothing in common",
            "we offered: IKE AES_GCM_16-256, HMAC_SHA2_256, CURVE25519",
        ),
        (
            {"proposals": esp("aes128gcm16")},
            NotifyType.NO_PROPOSAL_CHOSEN,
            "ENCR      AES_GCM_16-256       AES_GCM_16-128  <- nothing in common",
            "we offered: ESP AES_GCM_16-256, NO_ESN",
        ),
        (
            {"local_ts": ts("172.16.0.0/12")},
            NotifyType.TS_UNACCEPTABLE,
            "Child SA net: TSi 10.1.0.0/16, TSr 172.16.0.0/12  <- nothing in common in TSr",
            "we offered: TSi 10.1.0.0/16, TSr 10.2.0.0/16",
        ),
    ],
)
def test_s3_10_1_both_ends_tell_their_operator_and_nothing_goes_on_the_wire(
    theirs: dict[str, Any], refusal: NotifyType, theirs_say: str, ours_say: str
) -> None:
    """7296-3.10.1-09; the notification is as short as ever (7296-3.10.1-10)."""
    made = refuse(**theirs)
    assert theirs_say in told(made, B)
    assert ours_say in told(made, A)
    assert notifications(made, refusal) == [N(refusal)]


def test_a_rekey_that_is_refused_is_explained_too() -> None:
    made = Pair(2).establish()
    (number,) = made.ends[B].sessions
    session = made.ends[B].sessions[number]
    changed = replace(session.connection, ike_proposals=ike("aes128gcm16-prfsha256-x25519"))
    made.ends[B].sessions[number] = session._replace(connection=changed)
    made.command(A, sa.RekeyIke())
    made.deliver_all()
    assert "ENCR      AES_GCM_16-256       AES_GCM_16-128  <- nothing in common" in told(made, B)
    assert "we offered: IKE AES_GCM_16-256" in told(made, A)


def test_nothing_is_explained_where_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> str:
        raise AssertionError("computed for nothing")

    for name in ("suites", "traffic", "offer", "texts"):
        monkeypatch.setattr(explain, name, never)
    made = Pair(2).establish()
    made.command(A, sa.CreateChild("web"))
    made.settle()
    made.command(B, sa.RekeyIke())
    made.settle()
    assert len(made.children(A)) == 2
    assert ExchangeType.CREATE_CHILD_SA in {
        flight.message.exchange_type for flight in made.past if flight.message is not None
    }


Patch = pytest.MonkeyPatch


def _show_the_first_pair(patch: Patch) -> None:
    patch.setattr(explain, "_distance", lambda _: 0)


def _forget_key_lengths(patch: Patch) -> None:
    patch.setattr(explain, "same", lambda one, other: (one.type, one.id) == (other.type, other.id))


def _take_left_out_for_anything(patch: Patch) -> None:
    right = explain._meet
    patch.setattr(explain, "_meet", lambda theirs, mine, *more: not theirs or not mine or right(theirs, mine, *more))


def _forget_unknown_types(patch: Patch) -> None:
    rows = explain._rows
    patch.setattr(explain, "_rows", lambda one, other: [row for row in rows(one, other) if row.kind != "241"])


def _mix_up_the_sides(patch: Patch) -> None:
    traffic = explain.traffic
    patch.setattr(explain, "traffic", lambda tsi, tsr, policies: traffic(tsr, tsi, policies))


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (_show_the_first_pair, check_the_pair_that_differs_least_is_shown_side_by_side),
        (_forget_key_lengths, check_a_key_length_counts),
        (_take_left_out_for_anything, check_what_is_left_out_counts_as_none),
        (_forget_unknown_types, check_an_unknown_transform_type_spoils_a_proposal),
        (_mix_up_the_sides, check_traffic_says_which_side_has_nothing),
    ],
)
def test_each_seeded_fault_is_found(
    fault: Callable[[Patch], None], finds: Callable[[], None], monkeypatch: Patch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        finds()
