"""Sections 2.5 to 2.7, rule by rule: versions, unknown payloads, SPIs, cookies, and what is chosen."""

import pytest
from ikeref_properties.mutants import find, seeded
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, B, Pair, connection

from ikeref import sa, wire
from ikeref.policy import proposals
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType, ProtocolId, TransformType
from ikeref.sa import Path, Phase
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, NO_SPI, SA, Message, N, Nonce, TSi, TSr, Unknown
from tests.conformance.life import (
    CREATE,
    INFO,
    INIT,
    after_init,
    altered,
    command,
    errors,
    established,
    flights,
    kinds,
    messages,
    of,
    policies,
    raw,
    receive,
    replies,
)
from tests.properties.forging import arrive, request, sealed


def life() -> Pair:
    """A bit of everything, refusals too."""
    pair = established(settings=Settings(child_limit=2))
    for end in ENDS:
        command(pair, end, sa.CheckLiveness())
        command(pair, end, sa.CreateChild("web"))
        command(pair, end, sa.RekeyChild(pair.children(end)[0].spi_in))
        command(pair, end, sa.RekeyIke())
    request(pair, B, INFO, (Unknown(200, b"", 0x80),))
    command(pair, A, sa.DeleteIke())
    return pair


# Section 2.5


def reserved(value: object) -> list[int]:
    """The RESERVED fields of a payload, and of all that stands in it."""
    if not isinstance(value, tuple):
        return []
    own = [getattr(value, field) for field in getattr(value, "_fields", ()) if field.startswith("reserved")]
    return own + [each for part in value for each in reserved(part)]


def test_s2_5_all_that_is_sent_is_of_version_2_0_with_reserved_bits_zero_and_nothing_critical() -> None:
    """In the headers of messages and of payloads, and in what these hold."""
    for flight in flights(life()):
        message = raw(flight.datagram)
        assert message.version == 0x20
        assert message.flags & ~(FLAG_INITIATOR | FLAG_RESPONSE) == 0
        assert flight.message is not None
        assert {payload.flags for payload in (*message.payloads, *flight.message.payloads)} <= {0}
        assert set(reserved(wire.decode(wire.encode(flight.message)).payloads)) <= {0}


@pytest.mark.parametrize("minor", [0, 1, 15])
def test_s2_5_the_minor_version_is_ignored(minor: int) -> None:
    """Before there are keys, and of what is protected, whose header is under the ICV."""
    pair = Pair(1)
    pair.initiate(A)
    datagram = bytearray(pair.flying.pop().datagram)
    datagram[17] = 0x20 | minor
    (answer,) = replies(receive(pair, B, bytes(datagram)))
    assert (answer.version, kinds(answer)[0]) == (0x20, "SA")
    pair = established()
    protected = sealed(pair.ikes(A)[0], INFO, (), pair.ikes(B)[0].expected, version=0x20 | minor)
    assert [message.payloads for message in arrive(pair, B, protected).messages] == [()]


@pytest.mark.parametrize("major", [0, 1, 2, 3, 15])
def test_s2_5_one_major_version_is_supported_and_a_higher_one_is_told_so(major: int) -> None:
    """There are none between: those below are dropped, those above get INVALID_MAJOR_VERSION under version 2."""
    pair = Pair(1)
    pair.initiate(A)
    datagram = bytearray(pair.flying.pop().datagram)
    datagram[17] = major << 4
    sent = replies(receive(pair, B, bytes(datagram)))
    assert [kinds(message)[0] for message in sent] == (
        ["SA"] if major == 2 else ["N(INVALID_MAJOR_VERSION)"] if major > 2 else []
    )
    assert {message.version for message in sent} <= {0x20}
    assert bool(pair.ends[B].sessions) is (major == 2)


@pytest.mark.parametrize("flag", [0, 0x10])
def test_s2_5_a_peer_that_could_do_more_is_no_reason_to_begin_anew(flag: int) -> None:
    """The Version flag says that it speaks a higher version; this end does not, so all goes on in version 2."""
    pair = Pair(1)
    pair.initiate(A)
    datagram = bytearray(pair.flying.pop().datagram)
    datagram[19] |= flag
    (answer,) = replies(receive(pair, B, bytes(datagram)))
    assert "SA" in kinds(answer)
    assert answer.flags == FLAG_RESPONSE


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("critical", [0, 0x80])
@pytest.mark.parametrize("kind", [1, 32, 49, 127, 200, 255])
def test_s2_5_an_unknown_payload_is_skipped_unless_it_is_critical(kind: int, critical: int, end: str) -> None:
    """A critical one has the whole request refused, and its type is told in one octet."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (answer,) = request(pair, end, INFO, (N(40000), Unknown(kind, b"whatever", critical), N(40001))).messages
    refused = (N(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes((kind,))),)
    assert answer.payloads == (refused if critical else ())
    assert len(pair.ikes(end)) == 1


@pytest.mark.parametrize("end", ENDS)
def test_s2_5_critical_is_about_the_type_and_not_about_what_is_inside(end: str) -> None:
    """Known payloads that are critical, with an unknown notification and an unknown kind of selector in them."""
    pair = established()
    odd = wire.TrafficSelector(200, 0, 0, 0, b"", b"")
    policy = pair.connections[PEER[end]].children[1]
    content = (
        N(40000, b"unknown", flags=0x80),
        SA((policy.proposals[0]._replace(number=1, spi=b"\0\0\x20\1"),), 0x80),
        Nonce(bytes(range(32)), 0x80),
        TSi((*policy.local_ts, odd), flags=0x80),
        TSr((*policy.remote_ts, odd), flags=0x80),
    )
    (answer,) = request(pair, end, CREATE, content).messages
    assert kinds(answer) == ["SA", "Nonce", "TSi", "TSr"]


@pytest.mark.parametrize("end", ENDS)
def test_s2_5_reserved_bits_change_nothing(end: str) -> None:
    """In the headers of payloads, in proposals, transforms and selectors, and in the header of the message."""
    answers = []
    for bits in (0, 0x7F):
        pair = established()
        policy = pair.connections[PEER[end]].children[1]
        offer = policy.proposals[0]._replace(number=1, spi=b"\0\0\x20\1", reserved=bits)
        transforms = tuple(each._replace(reserved=bits, reserved2=bits) for each in offer.transforms)
        content = (
            SA((offer._replace(transforms=transforms),), bits),
            Nonce(bytes(range(32)), bits),
            TSi(policy.local_ts, bits, flags=bits),
            TSr(policy.remote_ts, bits, flags=bits),
        )
        answers += request(pair, end, CREATE, content).messages
    assert answers[0] == answers[1]
    assert not errors(answers[0])
    pair = Pair(1)
    pair.initiate(A)
    datagram = bytearray(pair.flying.pop().datagram)
    datagram[19] |= 0xC7
    assert [kinds(message)[0] for message in replies(receive(pair, B, bytes(datagram)))] == ["SA"]


def test_s2_5_payloads_of_ike_sa_init_come_in_any_order() -> None:
    """7296-2.5-21."""
    pair = Pair(1)
    pair.initiate(A)
    asked = pair.flying.pop().message
    assert asked is not None
    for payloads in (asked.payloads, asked.payloads[::-1], (*asked.payloads[2:], *asked.payloads[:2])):
        (answer,) = replies(receive(pair, B, wire.encode(asked._replace(payloads=payloads))))
        assert kinds(answer)[:3] == ["SA", "KE", "Nonce"]


@pytest.mark.parametrize("response", [False, True])
def test_s2_5_payloads_of_ike_auth_come_in_any_order(response: bool) -> None:
    """7296-2.5-21: in the reverse order."""
    pair = after_init()
    if response:
        pair.deliver(pair.flying[0])
    arrived = altered(pair, lambda payloads: payloads[::-1])
    assert sa.Established in arrived.kinds()
    assert sa.Install in arrived.kinds()


# Section 2.6


def test_s2_6_the_responder_s_spi_is_zero_until_there_is_an_ike_sa() -> None:
    """In IKE_SA_INIT requests, and in answers that create none; in all others both SPIs stand."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
    }
    pair = established(connections=connections, settings=Settings(cookie_threshold=0))
    (ike,) = pair.ikes(A)
    for message in messages(pair, INIT):
        assert message.spi_i == ike.spi_i
        created = message.is_response and kinds(message)[0] == "SA"
        assert message.spi_r == (ike.spi_r if created else NO_SPI)
    for end in ENDS:
        command(pair, end, sa.CheckLiveness())
    assert {(m.spi_i, m.spi_r) for m in messages(pair, INFO)} == {(ike.spi_i, ike.spi_r)}
    refused = established(connections={A: connection(A, ike="aes128-sha256-modp2048"), B: connection(B)})
    (_, refusal) = messages(refused, INIT)
    assert (refusal.spi_r, kinds(refusal)) == (NO_SPI, ["N(NO_PROPOSAL_CHOSEN)"])


@pytest.mark.parametrize("spi_r", [NO_SPI, b"\7" * 8])
def test_s2_6_an_answer_without_ike_sa_may_have_any_responder_s_spi(spi_r: bytes) -> None:
    pair = Pair(1)
    pair.initiate(A)
    asked = pair.flying.pop().message
    assert asked is not None
    cookie = Message(asked.spi_i, spi_r, INIT, FLAG_RESPONSE, 0, (N(NotifyType.COOKIE, b"biscuit"),))
    (again,) = replies(receive(pair, A, wire.encode(cookie)))
    assert again.payloads == (N(NotifyType.COOKIE, b"biscuit"), *asked.payloads)
    assert (again.message_id, again.spi_r) == (0, NO_SPI)


@pytest.mark.parametrize(("octets", "heeded"), [(0, False), (1, True), (64, True), (65, False)])
def test_s2_6_a_cookie_has_1_to_64_octets(octets: int, heeded: bool) -> None:
    """One of another length is malformed: IKE_SA_INIT is not sent anew because of it."""
    pair = Pair(1)
    pair.initiate(A)
    asked = pair.flying.pop().message
    assert asked is not None
    cookie = Message(asked.spi_i, NO_SPI, INIT, FLAG_RESPONSE, 0, (N(NotifyType.COOKIE, bytes(octets)),))
    assert bool(replies(receive(pair, A, wire.encode(cookie)))) is heeded


@pytest.mark.parametrize("end", ENDS)
def test_s2_6_the_ike_sa_is_found_by_its_spi_wherever_a_message_comes_from(end: str) -> None:
    pair = established()
    pair.command(end, sa.CheckLiveness())
    datagram = pair.flying.pop().datagram
    elsewhere = Path(ADDRESS[PEER[end]], ("203.0.113.5", 31337))
    (answer,) = replies(receive(pair, PEER[end], datagram, elsewhere))
    assert answer.payloads == ()


def test_s2_6_1_the_cookie_stands_in_the_retry_with_another_group_too() -> None:
    """Three rounds; the same cookie counts in the last, in which nothing but KE has changed."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
    }
    pair = established(connections=connections, settings=Settings(cookie_threshold=0))
    first, _, second, _, third, answer = messages(pair, INIT)
    assert second.payloads[1:] == first.payloads
    assert second.payloads[0] == third.payloads[0]
    assert kinds(second)[0] == "N(COOKIE)"
    assert [p for p in third.payloads[1:] if type(p) is not wire.KE] == [
        p for p in first.payloads if type(p) is not wire.KE
    ]
    assert kinds(answer)[0] == "SA"


def test_s2_6_1_a_responder_that_wants_a_cookie_for_the_other_group_costs_a_round() -> None:
    """Its cookies depend on KEi: it refuses the old one with a new one, which comes back."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
    }
    with seeded(find("make cookies of KEi too")):
        pair = established(connections=connections, settings=Settings(cookie_threshold=0))
    answers = [kinds(message)[0] for message in messages(pair, INIT, response=True)]
    assert answers == ["N(COOKIE)", "N(INVALID_KE_PAYLOAD)", "N(COOKIE)", "SA"]
    assert [ike.phase for end in ENDS for ike in pair.ikes(end)] == [Phase.ESTABLISHED] * 2


# Section 2.7


@pytest.mark.parametrize("end", ENDS)
def test_s2_7_one_suite_is_chosen_with_one_transform_of_each_type(end: str) -> None:
    """The offer has two proposals for ESP, and several transforms of most types."""
    esp = "aes256-aes128-sha256-sha384-x25519-ecp256, aes256gcm16-aes128gcm16-x25519"
    pair = established(connections=policies(esp=esp))
    command(pair, end, sa.CreateChild("web"))
    asked, answered = messages(pair, CREATE)
    (chosen,) = of(answered, SA).proposals
    offered = next(p for p in of(asked, SA).proposals if p.number == chosen.number)
    assert chosen.protocol_id == offered.protocol_id == ProtocolId.ESP
    assert sorted(t.type for t in chosen.transforms) == sorted({t.type for t in offered.transforms})
    assert set(chosen.transforms) <= set(offered.transforms)
    assert len(offered.transforms) > len(chosen.transforms)


@pytest.mark.parametrize("end", ENDS)
def test_s2_7_all_are_refused_where_none_is_acceptable(end: str) -> None:
    pair = established()
    policy = pair.connections[PEER[end]].children[1]
    for offer, refused in (("aes128-sha256, aes256-sha512", True), ("aes128-sha256, aes256gcm16", False)):
        offered = [
            p._replace(number=number, spi=b"\0\0\x20\1") for number, p in enumerate(proposals.parse(offer, 3), 1)
        ]
        content = (SA(tuple(offered)), Nonce(bytes(range(32))), TSi(policy.local_ts), TSr(policy.remote_ts))
        (answer,) = request(pair, end, CREATE, content).messages
        assert (errors(answer) == [NotifyType.NO_PROPOSAL_CHOSEN]) is refused
        if refused:
            assert len(answer.payloads) == 1


def test_s2_7_ciphers_that_protect_integrity_stand_in_a_proposal_of_their_own() -> None:
    """Also where one line of policy has both: what is sent mixes them in no proposal."""
    pair = established(
        connections=policies(esp="aes256-sha256, aes256gcm16", ike="aes128-sha256-x25519, aes256gcm16-prfsha256-x25519")
    )
    for message in messages(pair, response=False):
        for proposal in of(message, SA).proposals:
            combined = {t.id in (18, 19, 20, 28) for t in proposal.transforms if t.type == TransformType.ENCR}
            integrity = [t.id for t in proposal.transforms if t.type == TransformType.INTEG and t.id]
            assert len(combined) == 1
            assert bool(integrity) is not combined.pop()
        assert len(of(message, SA).proposals) == 2
