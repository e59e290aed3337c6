"""What becomes of messages that arrive under the keys of an IKE SA, and of the same altered (Sections 3 and 4).

A row is a request to an end with an IKE SA and a Child SA, and what it is answered with; its twin is the same request
with something altered, and its answer.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from ikeref_properties.network import PEER, A, B, Pair, connection

from ikeref import sa, wire
from ikeref.policy import addresses, proposals
from ikeref.policy.connections import Settings
from ikeref.registry import CfgType, Encr, KeGroup, NotifyType, ProtocolId, TransformType
from ikeref.sa import Phase
from ikeref.wire import (
    CP,
    KE,
    SA,
    Attribute,
    CfgAttr,
    D,
    N,
    Nonce,
    Payload,
    Proposal,
    Transform,
    TSi,
    TSr,
    Unknown,
    V,
)
from tests.properties.forging import Answered, arrive, request, respond, sealed
from tests.unit.eap.scene import forge

CREATE, INFORMATIONAL = 36, 37
NI = Nonce(bytes(range(32)))
SPI = b"\0\0\x20\1"
GCM = Transform(TransformType.ENCR, Encr.AES_GCM_16, (Attribute(14, 256),))
SHORT = GCM._replace(attributes=(Attribute(14, 128),))
NORMAL, EXTENDED = Transform(TransformType.SN, 0), Transform(TransformType.SN, 1)
GROUP, NO_GROUP = Transform(TransformType.KE, KeGroup.CURVE25519), Transform(TransformType.KE, KeGroup.NONE)
TRAFFIC = (TSi((addresses.from_text("10.2.0.0/16"),)), TSr((addresses.from_text("10.1.0.0/16"),)))
"""B asks A."""


def esp(*transforms: Transform, number: int = 1) -> Proposal:
    return Proposal(number, ProtocolId.ESP, SPI, transforms)


def create(*payloads: Payload, offer: tuple[Proposal, ...] = (esp(GCM, NORMAL),)) -> tuple[Payload, ...]:
    """A request for a Child SA."""
    return (*payloads, SA(offer), NI, *TRAFFIC)


def words(answer: Answered) -> list[str]:
    """What an end says: the errors, or the names of the payloads; `silence` for nothing."""
    found = []
    for message in answer.messages:
        errors = [NotifyType(p.type).name for p in message.payloads if type(p) is N and p.type < 16384]
        found += errors or [" ".join(type(p).__name__ for p in message.payloads) or "empty"]
    return found or ["silence"]


class Row(NamedTuple):
    """A request, its answer, the request altered, and the answer to that."""

    id: str
    exchange: int
    good: tuple[Payload, ...]
    answer: str
    altered: tuple[Payload, ...]
    instead: str


ACCEPTED = "SA Nonce TSi TSr"
VENDOR = V(b"nobody knows this")
STATUS, ERROR = N(39000), N(8000)
CRITICAL, SKIPPED = Unknown(200, b"x", 0x80), Unknown(200, b"x")
GONE = D(ProtocolId.ESP, 4, (b"\1\2\3\4",))

ROWS = (
    Row("7296-3.2-10", CREATE, create(), ACCEPTED, (SA((esp(GCM, NORMAL),), 0x80), NI, *TRAFFIC), ACCEPTED),
    Row("7296-4-02", CREATE, create(), ACCEPTED, create(SKIPPED), ACCEPTED),
    Row("7296-4-03", CREATE, create(), ACCEPTED, create(CRITICAL), "UNSUPPORTED_CRITICAL_PAYLOAD"),
    Row("7296-4-03", INFORMATIONAL, (), "empty", (CRITICAL,), "UNSUPPORTED_CRITICAL_PAYLOAD"),
    Row("7296-4-07", INFORMATIONAL, (), "empty", (N(NotifyType.SET_WINDOW_SIZE, bytes(4)), STATUS), "empty"),
    Row("7296-4-06", INFORMATIONAL, (), "empty", (STATUS, SKIPPED), "empty"),
    # What nobody knows is no reason to refuse.
    Row("7296-3.10.1-02", CREATE, create(), ACCEPTED, create(ERROR), ACCEPTED),
    Row("7296-3.10.1-02", INFORMATIONAL, (), "empty", (ERROR,), "empty"),
    Row("7296-3.10.1-03", CREATE, create(), ACCEPTED, create(STATUS), ACCEPTED),
    Row("7296-3.10.1-04", INFORMATIONAL, (), "empty", (N(NotifyType.INITIAL_CONTACT), STATUS), "empty"),
    Row("7296-3.10.1-05", INFORMATIONAL, (), "empty", (STATUS,), "empty"),
    Row("7296-3.12-01", CREATE, create(), ACCEPTED, create(VENDOR), ACCEPTED),
    Row("7296-3.12-02", INFORMATIONAL, (), "empty", (VENDOR,), "empty"),
    Row("7296-3.12-03", CREATE, create(), ACCEPTED, create(VENDOR), ACCEPTED),
    Row("7296-3.12-05", CREATE, create(), ACCEPTED, create(VENDOR, V(b"another"), VENDOR), ACCEPTED),
    Row("7296-3.12-07", INFORMATIONAL, (GONE,), "empty", (VENDOR, GONE, VENDOR), "empty"),
    Row("7296-3.12-08", CREATE, create(), ACCEPTED, (*create(), VENDOR), ACCEPTED),
    Row("7296-C-01", CREATE, create(), ACCEPTED, create()[::-1], ACCEPTED),
    Row("7296-C-01", CREATE, create(), ACCEPTED, (NI, VENDOR, *TRAFFIC, STATUS, SA((esp(GCM, NORMAL),))), ACCEPTED),
    Row("7296-3.10.1-12", INFORMATIONAL, (), "empty", (N(NotifyType.INVALID_SELECTORS, bytes(40), 3, SPI),), "empty"),
    Row("7296-3.10.1-13", INFORMATIONAL, (), "empty", (N(NotifyType.INVALID_SELECTORS, bytes(40), 3, SPI),), "empty"),
    # Suites.
    Row("7296-3.3.2-16", CREATE, create(offer=(esp(GCM, NORMAL, EXTENDED),)), ACCEPTED,
        create(offer=(esp(GCM, EXTENDED),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.2-06", CREATE, create(offer=(esp(GCM, NORMAL, GROUP, NO_GROUP),)), ACCEPTED,
        create(offer=(esp(GCM, NORMAL, GROUP),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.2-06", CREATE, create(), ACCEPTED, create(offer=(esp(GCM, NORMAL, GROUP),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3-13", CREATE, create(), ACCEPTED, create(offer=(esp(),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.3-01", CREATE, create(offer=(esp(GCM, NORMAL, Transform(3, 0), NO_GROUP),)), ACCEPTED,
        create(offer=(esp(GCM, NORMAL, Transform(2, 5)),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.4-06", CREATE, create(), ACCEPTED,
        create(offer=(esp(GCM._replace(id=Encr.AES_GCM_12), NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.4-07", CREATE, create(), ACCEPTED,
        create(offer=(esp(SHORT, NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.5-09", CREATE, create(), ACCEPTED,
        create(offer=(esp(GCM._replace(attributes=()), NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.5-10", CREATE, create(), ACCEPTED,
        create(offer=(esp(Transform(TransformType.ENCR, Encr.RC5), NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.6-07", CREATE, create(offer=(esp(GCM, NORMAL, Transform(77, 1)), esp(GCM, NORMAL, number=2))),
        ACCEPTED, create(offer=(esp(GCM, NORMAL, Transform(77, 1)),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.6-08", CREATE, create(offer=(esp(GCM), esp(GCM, NORMAL, number=2))), ACCEPTED,
        create(offer=(esp(GCM),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.6-09", CREATE, create(offer=(esp(Transform(1, 1025), GCM, NORMAL),)), ACCEPTED,
        create(offer=(esp(Transform(1, 1025), NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.6-09", CREATE,
        create(offer=(esp(GCM._replace(attributes=(*GCM.attributes, Attribute(99, 1))), GCM, NORMAL),)), ACCEPTED,
        create(offer=(esp(GCM._replace(attributes=(*GCM.attributes, Attribute(99, 1))), NORMAL),)),
        "NO_PROPOSAL_CHOSEN"),
    Row("7296-3.3.6-14", CREATE, create(offer=(esp(GCM, NORMAL, GROUP, NO_GROUP),)), ACCEPTED,
        create(KE(KeGroup.CURVE25519, bytes(32)), offer=(esp(GCM, NORMAL, GROUP, NO_GROUP),)), ACCEPTED),
    Row("7296-3.10.1-10", CREATE, create(), ACCEPTED,
        create(offer=(esp(GCM._replace(id=99), NORMAL),)), "NO_PROPOSAL_CHOSEN"),
    # What has no notification of its own is INVALID_SYNTAX.
    Row("7296-3.10.1-08", CREATE, create(), ACCEPTED, (*create(), NI), "INVALID_SYNTAX"),
    Row("7296-3.10.1-08", CREATE, create(), ACCEPTED, create()[:1], "INVALID_SYNTAX"),
    Row("7296-3.10.1-08", CREATE, create(), ACCEPTED, create()[1:], "INVALID_SYNTAX"),
    # Several Deletes, of several protocols.
    Row("7296-3.11-03", INFORMATIONAL, (GONE,), "empty", (GONE, D(ProtocolId.AH, 4, (b"\4\3\2\1",))), "empty"),
    Row("7296-3.15.2-03", INFORMATIONAL, (CP(CfgType.REQUEST),), "CP",
        (CP(CfgType.REQUEST, (CfgAttr(13, bytes(8)), CfgAttr(15, bytes(17)))),), "CP"),
)  # fmt: skip
"""The end that is asked is A, whose policy has AES-GCM with 256 bits and no group."""

IDS = tuple(dict.fromkeys(row.id for row in ROWS))


@pytest.mark.parametrize("id", IDS)
def test_what_becomes_of_it(id: str) -> None:
    for row in ROWS:
        if row.id == id:
            for payloads, expected in ((row.good, row.answer), (row.altered, row.instead)):
                ends = Pair(1).establish()
                assert words(request(ends, A, row.exchange, payloads)) == [expected]
                fatal = expected in ("INVALID_SYNTAX",)
                assert len(ends.ikes(A)) == (0 if fatal else 1)


def _answer_of(ends: Pair, exchange: int, payloads: tuple[Payload, ...]) -> Answered:
    """B's answer to what A asks, in place of the right one."""
    ends.flying.clear()
    return respond(ends, A, exchange, payloads, ends.ikes(A)[0].waiting[0])


def test_3_10_1_01_an_unknown_error_in_a_response_fails_the_request() -> None:
    """And an unknown status does not (7296-3.10.1-03)."""
    for kind, made in ((8000, 1), (39000, 2)):
        ends = Pair(1).establish()
        ends.command(A, sa.CreateChild("web"))
        ends.deliver(ends.flying[0])
        (answer,) = ends.flying
        assert answer.message is not None
        _answer_of(ends, CREATE, (N(kind), *answer.message.payloads))
        assert len(ends.children(A)) == made


SUITES: dict[str, tuple[Callable[[Proposal], Proposal], int]] = {
    "as chosen": (lambda p: p, 2),
    "another cipher": (lambda p: p._replace(transforms=(p.transforms[0]._replace(id=99), *p.transforms[1:])), 1),
    "another Key Length": (
        lambda p: p._replace(transforms=(GCM._replace(attributes=(Attribute(14, 128),)), NORMAL)),
        1,
    ),
    "another number": (lambda p: p._replace(number=9), 1),
    "another protocol": (lambda p: p._replace(protocol_id=ProtocolId.AH), 1),
    "a transform more": (lambda p: p._replace(transforms=(*p.transforms, EXTENDED)), 1),
    "a transform less": (lambda p: p._replace(transforms=p.transforms[:1]), 1),
}


@pytest.mark.parametrize("case", SUITES)
def test_3_3_6_05_the_initiator_checks_what_was_chosen(case: str) -> None:
    """7296-3.3.6-05, 7296-3.3.6-06: what it did not offer it does not use, and deletes at the peer."""
    change, made = SUITES[case]
    ends = Pair(1).establish()
    ends.command(A, sa.CreateChild("web"))
    ends.deliver(ends.flying[0])
    (answer,) = ends.flying
    assert answer.message is not None
    altered = tuple(SA((change(p.proposals[0]),)) if type(p) is SA else p for p in answer.message.payloads)
    answered = _answer_of(ends, CREATE, altered)
    assert len(ends.children(A)) == made
    deletes = [p for message in answered.messages for p in message.payloads if type(p) is D]
    assert bool(deletes) is (made == 1)


def test_3_4_06_a_public_value_of_another_group_is_refused_with_the_right_group() -> None:
    """7296-3.4-06, 7296-3.3.6-11: altered is the group of KE."""
    ends = Pair(1).establish()
    ike = Proposal(1, ProtocolId.IKE, b"8 octets", ends.connections[A].ike_proposals[0].transforms)
    for group, expected in ((KeGroup.CURVE25519, "SA Nonce KE"), (KeGroup.MODP_2048, "INVALID_KE_PAYLOAD")):
        ends = Pair(1).establish()
        public = group.to_bytes(2, "big") + b"public"
        answer = request(ends, A, CREATE, (SA((ike,)), NI, KE(group, public)))
        assert words(answer) == [expected]
    (message,) = answer.messages
    assert message.payloads == (N(NotifyType.INVALID_KE_PAYLOAD, b"\0\x1f"),)


def test_2_18_07_a_rekey_with_no_group_is_refused() -> None:
    """7296-2.18-07, 7296-1.3.2-02: the group of what is offered is altered to NONE, and KE left out."""
    transforms = Pair(1).connections[A].ike_proposals[0].transforms
    public = KE(KeGroup.CURVE25519, KeGroup.CURVE25519.to_bytes(2, "big") + b"public")
    none = tuple(NO_GROUP if each.type == TransformType.KE else each for each in transforms)
    for chosen, key_exchange, expected in (
        (transforms, (public,), "SA Nonce KE"),
        (none, (), "INVALID_SYNTAX"),
        (none, (public,), "NO_PROPOSAL_CHOSEN"),
        (transforms, (), "INVALID_SYNTAX"),
    ):
        ends = Pair(1).establish()
        offer = SA((Proposal(1, ProtocolId.IKE, b"8 octets", chosen),))
        assert words(request(ends, A, CREATE, (offer, NI, *key_exchange))) == [expected]


def test_2_18_09_the_counters_of_a_new_ike_sa_start_at_zero() -> None:
    """A request with another message ID is not answered; with 0 it is."""
    for number, expected in ((0, ["empty"]), (1, ["silence"]), (7, ["silence"])):
        ends = Pair(1).establish()
        ends.command(B, sa.RekeyIke())
        ends.deliver_all()
        (ike,) = ends.ikes(B)
        assert (ike.next_request, ike.expected) == (0, 0)
        assert words(arrive(ends, A, sealed(ike, INFORMATIONAL, (), number))) == expected


def test_3_1_25_a_response_is_never_answered() -> None:
    """Of requests and responses with the same payloads only the requests are answered, whatever is in them."""
    for payloads in ((), (CRITICAL,), (ERROR,), (NI, NI), create()):
        ends = Pair(1).establish()
        assert words(request(ends, A, INFORMATIONAL, payloads)) != ["silence"]
        ends = Pair(1).establish()
        assert words(respond(ends, A, INFORMATIONAL, payloads, 0)) == ["silence"]
        ends.command(A, sa.CheckLiveness())
        ends.flying.clear()
        number = ends.ikes(A)[0].waiting[0]
        assert words(respond(ends, A, INFORMATIONAL, payloads, number)) == ["silence"]


def test_3_1_08_several_ike_sas_of_one_pair_of_ends_live_side_by_side() -> None:
    """Altered is the SPI: what is under the keys of one is not taken for the other."""
    ends = Pair(1)
    ends.establish()
    ends.establish()
    first, second = ends.ikes(B)
    assert {ike.spi_i for ike in ends.ikes(A)} == {first.spi_i, second.spi_i}
    for ike in (first, second):
        assert words(arrive(ends, A, sealed(ike, INFORMATIONAL, (), 0))) == ["empty"]
    mixed = second._replace(keys=first.keys)
    assert words(arrive(ends, A, sealed(mixed, INFORMATIONAL, (), 1))) == ["silence"]


def test_3_1_31_a_message_id_is_good_for_one_request() -> None:
    """The next number is answered, the same again gets the same octets, others nothing."""
    ends = Pair(1).establish()
    (ike,) = ends.ikes(B)
    number = ends.ikes(A)[0].expected
    first = arrive(ends, A, sealed(ike, INFORMATIONAL, (), number))
    again = arrive(ends, A, sealed(ike, INFORMATIONAL, (), number))
    octets = [[each.datagram for each in answer.outputs if type(each) is sa.Transmit] for answer in (first, again)]
    assert octets[0] == octets[1]
    assert words(first) == ["empty"]
    for other in (number + 2, number - 2, 0xFFFFFFFF):
        assert words(arrive(ends, A, sealed(ike, INFORMATIONAL, (), other % (1 << 32)))) == ["silence"]
    # A response is matched by it too.
    ends.command(A, sa.CheckLiveness())
    ends.flying.clear()
    (waiting,) = ends.ikes(A)[0].waiting
    for other, left in ((waiting + 1, (waiting,)), (waiting + 9, (waiting,)), (waiting, ())):
        respond(ends, A, INFORMATIONAL, (), other)
        assert tuple(ends.ikes(A)[0].waiting) == left


def test_3_10_06_the_protocol_of_a_notification_without_spi_says_nothing() -> None:
    """Altered is that octet of SET_WINDOW_SIZE, and then its data: only these make a difference."""
    for protocol, size, window in ((0, 5, 5), (1, 5, 5), (3, 5, 5), (99, 5, 5), (3, 7, 7)):
        ends = Pair(1).establish()
        said = N(NotifyType.SET_WINDOW_SIZE, size.to_bytes(4, "big"), protocol)
        assert words(request(ends, A, INFORMATIONAL, (said,))) == ["empty"]
        assert ends.ikes(A)[0].peer_window == window


def test_3_10_1_04_a_status_and_a_vendor_id_may_be_in_any_message() -> None:
    """7296-3.10.1-04, 7296-3.12-07: unknown ones at the end of a request of each exchange; without them it is the
    same.
    """
    exchanges = (
        (34, "SA KE Nonce N N N", ()),
        (35, "IDr AUTH SA TSi TSr", ()),
        (CREATE, ACCEPTED, create()),
        (INFORMATIONAL, "empty", ()),
    )
    for exchange, expected, payloads in exchanges:
        for more in ((), (STATUS,), (VENDOR,), (STATUS, VENDOR)):
            ends = Pair(1)
            if exchange in (CREATE, INFORMATIONAL):
                ends.establish()
                assert words(request(ends, A, exchange, (*payloads, *more))) == [expected]
                continue
            ends.initiate(A)
            while (flight := ends.flying[0]).message is None or flight.message.exchange_type != exchange:
                ends.deliver(flight)
            assert flight.message is not None
            asked = (*flight.message.payloads, *more)
            if exchange == 35:
                forge(ends, asked)
                answered = Answered(ends.deliver(ends.flying[0]).outputs)
            else:
                answered = arrive(ends, B, wire.encode(flight.message._replace(payloads=asked)))
            assert words(answered) == [expected]


def test_3_10_1_07_invalid_syntax_is_for_those_that_have_keys_and_the_right_message_id() -> None:
    """Altered are the message ID and the last octet, of the checksum: then there is no answer."""
    ends = Pair(1).establish()
    (ike,) = ends.ikes(B)
    number = ends.ikes(A)[0].expected
    rubbish = (*create(), NI)
    datagram = sealed(ike, CREATE, rubbish, number)
    assert words(arrive(ends, A, datagram[:-1] + bytes((datagram[-1] ^ 1,)))) == ["silence"]
    assert words(arrive(ends, A, sealed(ike, CREATE, rubbish, number + 9))) == ["silence"]
    answered = arrive(ends, A, datagram)
    assert words(answered) == ["INVALID_SYNTAX"]
    (octets,) = [each.datagram for each in answered.outputs if type(each) is sa.Transmit]
    assert [type(each) for each in wire.decode(octets).payloads] == [wire.SK]


def test_3_11_03_deletes_of_two_protocols_are_taken() -> None:
    """Altered is the second Delete, left out: then that Child SA stays."""
    for both in (True, False):
        policies = {}
        for end in (A, B):
            policy = connection(end, starting=2)
            first, second = policy.children
            ah = proposals.parse("sha256", ProtocolId.AH)
            policies[end] = replace(policy, children=(first, replace(second, proposals=ah)))
        ends = Pair(1, connections=policies).establish()
        gone = [D(child.protocol_id, 4, (child.spi_in,)) for child in ends.children(B)]
        assert sorted(each.protocol_id for each in gone) == [ProtocolId.AH, ProtocolId.ESP]
        gone = gone if both else gone[:1]
        (answer,) = request(ends, A, INFORMATIONAL, tuple(gone)).messages
        assert sorted(p.protocol_id for p in answer.payloads if type(p) is D) == sorted(p.protocol_id for p in gone)
        assert len(ends.children(A)) == 2 - len(gone)


def test_4_12_after_no_additional_sas_an_sa_is_replaced_by_deleting_it_first() -> None:
    """The other end has room for one Child SA: a second is refused, and once the first is deleted it is made."""
    ends = Pair(1, settings=Settings(child_limit=1)).establish()
    for delete, made in ((False, ["net"]), (True, ["web"])):
        if delete:
            ends.command(A, sa.DeleteChild(ends.children(A)[0].spi_in))
            ends.settle()
        ends.command(A, sa.CreateChild("web"))
        ends.settle()
        assert [child.name for child in ends.children(A)] == made
        last = [each.message for each in ends.past if each.message is not None][-1]
        full = any(type(p) is N and p.type == NotifyType.NO_ADDITIONAL_SAS for p in last.payloads)
        assert full is not delete
        assert [ike.phase for ike in ends.ikes(A)] == [Phase.ESTABLISHED]


def test_4_04_four_messages_make_an_ike_sa_and_a_child_sa() -> None:
    """7296-4-04, 7296-5-01: the initiator says first who it is. With one of the four lost there is neither."""
    ends = Pair(1).establish()
    assert [each.message.exchange_type for each in ends.past if each.message is not None] == [34, 34, 35, 35]
    assert len(ends.children(A)) == len(ends.children(B)) == 1
    third = ends.past[2].message
    assert third is not None
    assert type(third.payloads[0]).__name__ == "IDi"
    for lost in range(4):
        ends = Pair(1)
        ends.initiate(A)
        for _ in range(lost):
            ends.deliver(ends.flying[0])
        ends.lose(ends.flying[0])
        assert not ends.children(A)
        assert not any(ike.phase is Phase.ESTABLISHED for ike in ends.ikes(A))


@pytest.mark.parametrize("end", [A, B])
def test_5_01_either_end_may_begin(end: str) -> None:
    """7296-4-05, 7296-4-09: and neither has to; nor does either begin another exchange."""
    ends = Pair(1).establish(end)
    ends.settle()
    assert {each.message.exchange_type for each in ends.past if each.message is not None} == {34, 35}
    assert [ike.initiator for ike in ends.ikes(end) + ends.ikes(PEER[end])] == [True, False]
