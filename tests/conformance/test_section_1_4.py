"""Sections 1.4, 1.5 and 1.7, rule by rule: INFORMATIONAL, Deletes, and messages outside of any IKE SA."""

import pytest
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, B, Pair

from ikeref import sa, wire
from ikeref.policy.connections import Settings
from ikeref.registry import CfgAttribute, CfgType, NotifyType
from ikeref.sa import Path, Phase
from ikeref.wire import CP, FLAG_INITIATOR, FLAG_RESPONSE, NO_SPI, CfgAttr, D, Message, N
from tests.conformance.life import (
    CREATE,
    ESP,
    INFO,
    altered,
    command,
    done,
    errors,
    established,
    kinds,
    messages,
    outputs,
    receive,
    replies,
)
from tests.properties.forging import arrive, request, sealed

# Section 1.4


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_unprotected_requests_are_not_informational_exchanges(end: str) -> None:
    """In the clear a Delete changes nothing; under the keys it is carried out."""
    pair = established()
    (ike,) = pair.ikes(end)
    flags = 0 if ike.initiator else FLAG_INITIATOR
    clear = Message(ike.spi_i, ike.spi_r, INFO, flags, ike.expected, (D(1, 0, ()),))
    before = pair.sessions(end)
    assert not replies(receive(pair, end, wire.encode(clear)))
    assert pair.sessions(end) == before
    request(pair, end, INFO, clear.payloads)
    assert not pair.ikes(end)


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_what_is_said_under_an_ike_sa_is_about_that_ike_sa(end: str) -> None:
    """Two IKE SAs between the same ends: a Delete of the IKE SA, or of a Child SA, reaches no other."""
    pair = established().establish()
    first, second = pair.ikes(end)
    ours = pair.children(end)
    theirs = pair.children(PEER[end])
    pair.command(end, sa.DeleteIke(), number=1)
    pair.deliver_all()
    assert {(message.spi_i, message.spi_r) for message in messages(pair, INFO)} == {(first.spi_i, first.spi_r)}
    for each in ENDS:
        assert [ike.spi_i for ike in pair.ikes(each)] == [second.spi_i]
    assert [each.spi_in for each in pair.children(end)] == [ours[1].spi_in]
    assert first.spi_i != second.spi_i
    pair = established().establish()
    (foreign, own), ike = (child.spi_in for child in theirs), pair.ikes(PEER[end])[1]
    for spi, left in ((foreign, 2), (own, 1)):
        arrive(pair, end, sealed(ike, INFO, (D(ESP, 4, (spi,)),), pair.ikes(end)[1].expected))
        assert len(pair.children(end)) == left


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("number", [1, 2])
def test_s1_4_what_is_said_about_a_child_sa_is_under_the_ike_sa_that_made_it(number: int, end: str) -> None:
    """Of two IKE SAs between the same ends: its rekey, and its Delete."""
    pair = established().establish()
    ike, child = pair.ikes(end)[number - 1], pair.children(end)[number - 1]
    since = len(pair.past)
    pair.command(end, sa.RekeyChild(child.spi_in), number=number)
    pair.deliver_all()
    rekeyed = pair.ends[end].sessions[number].children[0]
    assert rekeyed.spi_in != child.spi_in
    pair.command(end, sa.DeleteChild(rekeyed.spi_in), number=number)
    pair.deliver_all()
    said = [flight.message for flight in pair.past[since:] if flight.message is not None]
    assert [message.exchange_type for message in said] == [CREATE, CREATE, INFO, INFO, INFO, INFO]
    assert {(message.spi_i, message.spi_r) for message in said} == {(ike.spi_i, ike.spi_r)}
    assert [len(pair.children(each)) for each in ENDS] == [1, 1]


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_a_successor_carries_what_is_said_about_child_sas(end: str) -> None:
    """From the moment the IKE SA is rekeyed, while the old one is still being deleted."""
    pair = established()
    (old,) = pair.ikes(end)
    pair.command(end, sa.RekeyIke())
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    assert len(pair.ikes(end)) == 2
    (child,) = pair.children(end)
    pair.command(end, sa.DeleteChild(child.spi_in))
    deletes = [m for m in messages(pair, INFO, end=end) if m.payloads and m.payloads[0] == D(ESP, 4, (child.spi_in,))]
    assert [message.spi_i != old.spi_i for message in deletes] == [True]
    pair.deliver_all()
    assert not pair.children(A) + pair.children(B)


INFORMATIONS: dict[str, tuple[wire.Payload, ...]] = {
    "nothing": (),
    "notifications": (N(40000), N(40001, b"data"), N(16390 + 30000)),
    "several Deletes": (D(ESP, 4, (b"none", b"such")), D(2, 4, (b"none",))),
    "many": (*[N(40000 + number) for number in range(50)], *[D(ESP, 4, (b"none",))] * 50),
    "all kinds": (
        N(40000),
        D(ESP, 4, (b"none",)),
        CP(CfgType.REQUEST, (CfgAttr(CfgAttribute.APPLICATION_VERSION, b""),)),
        CP(CfgType.REQUEST, (CfgAttr(CfgAttribute.APPLICATION_VERSION, b""),)),
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", INFORMATIONS)
def test_s1_4_any_number_of_payloads_and_always_an_answer(what: str, end: str) -> None:
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (answer,) = request(pair, end, INFO, INFORMATIONS[what]).messages
    assert answer.is_response
    assert not errors(answer)
    assert (answer.payloads == ()) is (what != "all kinds")
    assert len(pair.children(end)) == 1


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_what_happens_depends_on_the_payloads(end: str) -> None:
    """Nothing, a word to the operator, a configuration, the end of a Child SA, or of all."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (theirs,) = pair.children(PEER[end])
    assert not request(pair, end, INFO, ()).kinds() - {sa.Received, sa.Transmit}
    assert request(pair, end, INFO, (N(40000),)).kinds() == {sa.Received, sa.Transmit, sa.Audit}
    (told,) = request(pair, end, INFO, INFORMATIONS["all kinds"]).messages
    assert kinds(told) == ["CP"]
    assert sa.Remove in request(pair, end, INFO, (D(ESP, 4, (theirs.spi_in,)),)).kinds()
    assert sa.Closed in request(pair, end, INFO, (D(1, 0, ()),)).kinds()


# Section 1.4.1


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_child_sa_is_two_sas_that_come_and_go_together(end: str) -> None:
    """One for each direction, with SPIs that both ends have alike; closing one closes the other."""
    pair = established()
    (ours,), (theirs,) = pair.children(A), pair.children(B)
    assert (ours.spi_in, ours.spi_out) == (theirs.spi_out, theirs.spi_in)
    assert ours.spi_in != ours.spi_out
    for each in ENDS:
        assert sorted(install.inbound for install in outputs(pair, sa.Install, end=each)) == [False, True]
    since = len(pair.records)
    command(pair, end, sa.DeleteChild(pair.children(end)[0].spi_in))
    for each in ENDS:
        assert sorted(removed.inbound for removed in outputs(pair, sa.Remove, end=each, since=since)) == [False, True]
    assert not pair.children(A) + pair.children(B)


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_each_end_names_what_it_receives_on(end: str) -> None:
    """The request names the inbound SPI of who asks, the response that of who answers, and none names both halves."""
    pair = established()
    (ours,), (theirs,) = pair.children(end), pair.children(PEER[end])
    command(pair, end, sa.DeleteChild(ours.spi_in))
    asked, answered = messages(pair, INFO)
    assert asked.payloads == (D(ESP, 4, (ours.spi_in,)),)
    assert answered.payloads == (D(ESP, 4, (theirs.spi_in,)),)


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_delete_closes_what_it_names(end: str) -> None:
    """Of two Child SAs the one that is named; one that is not there closes nothing."""
    pair = established()
    command(pair, A, sa.CreateChild("web"))
    first, second = pair.children(PEER[end])
    command(pair, PEER[end], sa.CheckLiveness())
    request(pair, end, INFO, (D(ESP, 4, (b"none",)),))
    assert len(pair.children(end)) == 2
    request(pair, end, INFO, (D(ESP, 4, (second.spi_in,)),))
    assert [child.spi_out for child in pair.children(end)] == [first.spi_in]


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_when_deletes_cross_each_direction_is_closed_in_its_turn(end: str) -> None:
    """Outbound with the peer's request, which is answered without Delete; inbound with the response to our own."""
    pair = established()
    for each in ENDS:
        pair.command(each, sa.DeleteChild(pair.children(each)[0].spi_in))
    first, second = [next(f for f in pair.flying if f.to == each) for each in (end, PEER[end])]
    asked = pair.deliver(first)
    assert [removed.inbound for removed in done(asked, sa.Remove)] == [False]
    assert [m.payloads for m in replies(asked.outputs)] == [()]
    assert [child.half_closed for child in pair.children(end)] == [True]
    assert any("half closed" in audit.reason for audit in done(asked, sa.Audit))
    answer = pair.deliver(second)
    assert [m.payloads for m in replies(answer.outputs)] == [()]
    answered = pair.deliver(next(f for f in pair.flying if f.to == end))
    assert [removed.inbound for removed in done(answered, sa.Remove)] == [True]
    pair.deliver_all()
    assert not pair.children(A) + pair.children(B)


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_half_closed_child_sa_is_left_alone_and_keeps_its_spi(end: str) -> None:
    """However long the response takes: nothing closes the other half, and its SPI is given to nothing else."""
    pair = established()
    for each in ENDS:
        pair.command(each, sa.DeleteChild(pair.children(each)[0].spi_in))
    pair.deliver(next(f for f in pair.flying if f.to == end))
    (half,) = pair.children(end)
    pair.flying.clear()
    for _ in range(3):
        pair.advance()
        pair.flying.clear()
    assert pair.children(end) == (half,)
    assert half.inbound
    assert not half.outbound
    pair.forced[end][4] = [half.spi_in]
    assert pair.ends[end].environment.new_spi(4) != half.spi_in


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_the_end_of_the_ike_sa_is_the_end_of_its_child_sas(end: str) -> None:
    """The answer is empty; no Delete of a Child SA is exchanged."""
    pair = established()
    command(pair, A, sa.CreateChild("web"))
    since = len(pair.records)
    command(pair, end, sa.DeleteIke())
    asked, answered = messages(pair, INFO)
    assert (asked.payloads, answered.payloads) == ((D(1, 0, ()),), ())
    for each in ENDS:
        assert len(outputs(pair, sa.Remove, end=each, since=since)) == 4
        assert not pair.children(each)
        assert not pair.ikes(each)


@pytest.mark.parametrize("end", ENDS)
def test_s1_4_1_a_confused_ike_sa_is_closed_and_begun_anew(end: str) -> None:
    """The peer never stops saying TEMPORARY_FAILURE; a new IKE SA can be made at once."""
    pair = established()
    pair.command(end, sa.CreateChild("web"))
    for _ in range(200):
        while pair.flying:
            flight = pair.flying[0]
            if flight.to == end and flight.message is not None and flight.message.exchange_type == CREATE:
                altered(pair, lambda _: (N(NotifyType.TEMPORARY_FAILURE),))
            else:
                pair.deliver(flight)
        if not pair.ikes(end):
            break
        pair.advance()
    assert not pair.ikes(A) + pair.ikes(B)
    pair.establish(end)
    assert [ike.phase for each in ENDS for ike in pair.ikes(each)] == [Phase.ESTABLISHED] * 2


# Section 1.5: what is sent outside of any IKE SA

HERE, THERE = b"\1" * 8, b"\2" * 8


def protected(flags: int = FLAG_INITIATOR, exchange: int = INFO, version: int = 0x20) -> bytes:
    return wire.encode(Message(HERE, THERE, exchange, flags, 5, (wire.SK(0, bytes(32)),), version))


@pytest.mark.parametrize("exchange", [35, CREATE, INFO])
@pytest.mark.parametrize("flags", [FLAG_INITIATOR, 0])
def test_s1_5_an_unknown_ike_sa_is_answered_in_the_clear_and_to_where_it_came_from(exchange: int, flags: int) -> None:
    """A response: SPIs, message ID and exchange type copied, INVALID_IKE_SPI without data, from where it arrived."""
    pair = Pair(1)
    path = Path(("192.0.2.2", 4500), ("198.51.100.7", 12345))
    (out,) = [o for o in receive(pair, B, protected(flags, exchange), path) if type(o) is sa.Transmit]
    message = wire.decode(out.datagram)
    assert out.path == path
    assert message == Message(HERE, THERE, exchange, FLAG_RESPONSE | (FLAG_INITIATOR ^ flags), 5, message.payloads)
    assert message.payloads == (N(NotifyType.INVALID_IKE_SPI),)


def test_s1_5_a_higher_major_version_is_answered_in_the_clear() -> None:
    """The same with INVALID_MAJOR_VERSION; ours is in the header. A higher minor version is none."""
    pair = Pair(1)
    datagram = bytearray(protected())
    datagram[17] = 0x30
    (message,) = replies(receive(pair, B, bytes(datagram)))
    assert (message.spi_i, message.spi_r, message.message_id, message.exchange_type) == (HERE, THERE, 5, INFO)
    assert message.flags & FLAG_RESPONSE
    assert message.version == 0x20
    assert message.payloads == (N(NotifyType.INVALID_MAJOR_VERSION),)
    datagram[17] = 0x2F
    (message,) = replies(receive(pair, B, bytes(datagram)))
    assert message.payloads == (N(NotifyType.INVALID_IKE_SPI),)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("spis", ["zero", "random", "ours"])
def test_s1_5_a_hint_of_an_invalid_spi_is_not_answered_and_changes_nothing(spis: str, end: str) -> None:
    """One-way and unprotected; its IKE SPIs may be anything, zero too. The operator is told."""
    pair = established()
    (ike,) = pair.ikes(end)
    names = {"zero": (NO_SPI, NO_SPI), "random": (HERE, THERE), "ours": (ike.spi_i, ike.spi_r)}[spis]
    flags, number = (0 if end == A and spis == "ours" else FLAG_INITIATOR), ike.expected if spis == "ours" else 0
    hint = Message(*names, INFO, flags, number, (N(NotifyType.INVALID_SPI, pair.children(end)[0].spi_out),))
    before = pair.sessions(end)
    got = receive(pair, end, wire.encode(hint))
    assert not replies(got)
    assert {type(output) for output in got} == {sa.Audit}
    assert pair.sessions(end) == before


# Section 1.7


def test_s1_7_attribute_5_is_ignored() -> None:
    """Once INTERNAL_ADDRESS_EXPIRY: whatever it holds, what stands beside it is answered as if it were not there."""
    answers = []
    for extra in ((), (CfgAttr(5, b"\0\0\x0e\x10"),), (CfgAttr(5, b""),)):
        pair = established()
        asked = CP(CfgType.REQUEST, (*extra, CfgAttr(CfgAttribute.APPLICATION_VERSION, b"")))
        (answer,) = request(pair, B, INFO, (asked,)).messages
        answers.append(answer.payloads)
    assert answers[0] == answers[1] == answers[2]
    assert [type(payload) for payload in answers[0]] == [CP]


@pytest.mark.parametrize("end", ENDS)
def test_s1_7_no_message_is_refused_for_the_order_of_its_payloads(end: str) -> None:
    """Backwards: an IKE_SA_INIT request; and of another IKE SA all after IKE_SA_INIT, whose octets AUTH protects."""
    pair = Pair(1)
    pair.initiate(A)
    first = pair.flying[0].message
    assert first is not None
    (answer,) = replies(receive(pair, B, wire.encode(first._replace(payloads=first.payloads[::-1]))))
    assert not errors(answer)
    pair = Pair(1)
    pair.initiate(A)
    for _ in range(2):
        pair.deliver(pair.flying[0])
    backwards(pair)
    what: tuple[sa.Command, ...] = (
        sa.CreateChild("web"),
        sa.RekeyChild(pair.children(end)[0].spi_in),
        sa.RekeyIke(),
    )
    for each in what:
        pair.command(end, each)
        backwards(pair)
    assert not outputs(pair, sa.Failed)
    assert [len(pair.children(each)) for each in ENDS] == [2, 2]
    assert [len(pair.ikes(each)) for each in ENDS] == [1, 1]


def backwards(pair: Pair) -> None:
    """All in flight, and what follows, arrives with its payloads the other way round."""
    while pair.flying:
        message = pair.flying[0].message
        assert message is not None
        if len(message.payloads) > 1:
            altered(pair, lambda payloads: payloads[::-1])
        else:
            pair.deliver(pair.flying[0])


# Section 1.5: packets of ESP or AH whose SPI nobody has


@pytest.mark.parametrize("end", ENDS)
def test_s1_5_a_packet_of_an_unknown_spi_is_told_over_the_ike_sa_with_its_sender(end: str) -> None:
    """INVALID_SPI with the SPI for data, in an INFORMATIONAL exchange; the other end changes nothing because of it."""
    pair = established()
    before = pair.children(PEER[end])
    path = Path(ADDRESS[end], ADDRESS[PEER[end]])
    (out,) = [o for o in pair.ends[end].unknown_spi(b"\0\0\x99\x99", path, pair.now) if type(o) is sa.Transmit]
    assert out.message is not None
    assert out.message.payloads == (N(NotifyType.INVALID_SPI, b"\0\0\x99\x99"),)
    assert [type(payload) for payload in wire.decode(out.datagram).payloads] == [wire.SK]
    (answer,) = replies(receive(pair, PEER[end], out.datagram))
    assert answer.payloads == ()
    assert pair.children(PEER[end]) == before
    receive(pair, end, pair.ends[PEER[end]].sessions[1].ikes[0].answers[-1].datagrams[0])
    assert [ike.outstanding for ike in pair.ikes(end)] == [()]


@pytest.mark.parametrize("encapsulated", [False, True])
def test_s1_5_a_packet_of_an_unknown_spi_of_a_stranger_is_told_in_one_unprotected_message(encapsulated: bool) -> None:
    """To where it came from. It is a request with the Initiator flag, version 2.0, and SPIs that mean nothing."""
    pair = established()
    path = Path(("192.0.2.2", 4500), ("198.51.100.7", 12345), encapsulated)
    (out,) = pair.ends[B].unknown_spi(b"\0\0\x99\x99", path, pair.now)
    assert type(out) is sa.Transmit
    assert out.path == path
    message = wire.decode(out.datagram[4:] if encapsulated else out.datagram)
    assert out.datagram[:4] == bytes(4) or not encapsulated
    assert (message.exchange_type, message.flags, message.version, message.message_id) == (INFO, 8, 0x20, 0)
    assert message.payloads == (N(NotifyType.INVALID_SPI, b"\0\0\x99\x99"),)
    assert {message.spi_i, message.spi_r}.isdisjoint({ike.spi for ike in pair.ikes(B)})
    assert not replies(receive(pair, A, out.datagram[4:] if encapsulated else out.datagram))
    assert not pair.ends[B].sessions[1].ikes[0].outstanding


def test_s1_5_such_messages_are_limited() -> None:
    pair = Pair(1, settings=Settings(unprotected_answers_per_second=10))
    path = Path(("192.0.2.2", 500), ("198.51.100.7", 500))
    sent = [pair.ends[B].unknown_spi(b"\0\0\x99\x99", path, 0.0) for _ in range(30)]
    assert sum(type(output) is sa.Transmit for outputs in sent for output in outputs) == 10
