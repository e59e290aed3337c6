"""What an end does about refusals, wrong answers and silence, however long they last (Sections 1.3, 2.8, 2.9.2, 2.25).

The peer has the right keys, and answers as ikeref would not.
"""

import pytest
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa, wire
from ikeref.policy import addresses
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, KeGroup, NotifyType, ProtocolId
from ikeref.wire import KE, SA, D, Message, N, Nonce, Payload, TSi, TSr
from tests.properties.forging import arrive, respond, sealed

CREATE = ExchangeType.CREATE_CHILD_SA


def asked(pair: Pair) -> list[Message]:
    """The CREATE_CHILD_SA requests that A has sent, each once."""
    sent = [
        flight.message for flight in pair.past if flight.to == B and not flight.again and flight.message is not None
    ]
    return [each for each in sent if each.exchange_type == CREATE and not each.is_response]


def answer(pair: Pair, *payloads: Payload) -> None:
    """The peer answers A's last request so; nothing else arrives."""
    pair.flying.clear()
    respond(pair, A, CREATE, payloads, asked(pair)[-1].message_id)


def payload(message: Message, kind: type[Payload]) -> Payload:
    return next(each for each in message.payloads if type(each) is kind)


def rekeying(pair: Pair, what: str) -> Pair:
    """A has asked for a rekey."""
    command = sa.RekeyChild(pair.children(A)[0].spi_in) if what == "child" else sa.RekeyIke()
    pair.command(A, command)
    return pair


@pytest.mark.parametrize("what", ["child", "IKE"])
@pytest.mark.parametrize("tries", [1, 3])
def test_s2_25_after_stated_attempts_the_ike_sa_is_closed(what: str, tries: int) -> None:
    """7296-2.25-06."""
    pair = rekeying(Pair(settings=Settings(retry_tries=tries)).establish(), what)
    for _ in range(3 * tries):
        if pair.ikes(A)[0].phase is not sa.Phase.ESTABLISHED:
            break
        answer(pair, N(NotifyType.TEMPORARY_FAILURE))
        pair.advance()
    assert len(asked(pair)) == tries + 1
    last = pair.past[-1].message
    assert last is not None
    assert [each.protocol_id for each in last.payloads if type(each) is D] == [ProtocolId.IKE]


@pytest.mark.parametrize("what", ["child", "IKE"])
def test_s1_3_a_group_that_was_not_offered_is_not_used(what: str) -> None:
    """7296-1.3-11."""
    connections = {end: connection(end, esp="aes256gcm16-x25519") for end in (A, B)}
    pair = rekeying(Pair(connections=connections).establish(), what)
    answer(pair, N(NotifyType.INVALID_KE_PAYLOAD, KeGroup.ECP_256.to_bytes(2, "big")))
    pair.advance()
    groups = [each.group for message in asked(pair) for each in message.payloads if type(each) is KE]
    assert set(groups) == {KeGroup.CURVE25519}


def test_s2_9_2_a_rekeyed_child_sa_that_is_narrower_is_deleted() -> None:
    """7296-2.9.2-04, 7296-2.21-03."""
    pair = rekeying(Pair().establish(), "child")
    (old,) = pair.children(A)
    (question,) = asked(pair)
    offer, selectors = payload(question, SA), payload(question, TSr)
    assert isinstance(offer, SA)
    assert isinstance(selectors, TSr)
    chosen = offer.proposals[0]._replace(spi=b"\0\0\x20\1")
    narrower = TSi((addresses.from_text("10.1.7.0/24"),))
    answer(pair, SA((chosen,)), Nonce(bytes(range(32))), narrower, selectors)
    assert [child.spi_in for child in pair.children(A)] == [old.spi_in]
    deleted = [
        spi
        for flight in pair.flying
        if flight.message
        for each in flight.message.payloads
        if type(each) is D
        for spi in each.spis
    ]
    assert deleted == [chosen_of_ours(question)]


def chosen_of_ours(question: Message) -> bytes:
    """The SPI that A had chosen for the Child SA to come."""
    offer = payload(question, SA)
    assert isinstance(offer, SA)
    return offer.proposals[0].spi


@pytest.mark.parametrize("what", ["child", "IKE"])
def test_s2_25_a_second_rekey_while_two_cross_is_refused(what: str) -> None:
    """7296-2.25.1-01, 7296-2.25.2-03: what has crossed already takes no further rekey."""
    pair = rekeying(Pair().establish(), what)
    (theirs,) = pair.children(B)
    number = pair.ikes(A)[0].expected
    again = N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, theirs.spi_in)
    question = asked(pair)[0].payloads
    for attempt in range(2):
        besides = [_renamed(each, attempt) for each in question if type(each) is not N]
        first = (again, *besides) if what == "child" else tuple(besides)
        answered = arrive(pair, A, sealed(pair.ikes(B)[0], CREATE, first, number + attempt))
        refused = [each.type for each in answered.messages[-1].payloads if type(each) is N]
        assert refused == ([NotifyType.TEMPORARY_FAILURE] if attempt else [])


def _renamed(each: Payload, attempt: int) -> Payload:
    """The same with SPIs and a nonce of the peer's own."""
    match each:
        case SA(proposals):
            size = len(proposals[0].spi)
            return SA(tuple(one._replace(spi=bytes([0x20 + attempt]) * size) for one in proposals))
        case Nonce():
            return Nonce(bytes([attempt]) * 32)
        case TSi(selectors):
            return TSr(selectors)
        case TSr(selectors):
            return TSi(selectors)
    return each


def test_s2_8_2_who_gives_up_the_old_ike_sa_leaves_its_child_sas_to_the_successor() -> None:
    """7296-2.8.2-02: A has granted B's rekey while its own gets no answer."""
    pair = rekeying(Pair().establish(), "IKE")
    pair.command(B, sa.RekeyIke())
    old = pair.ikes(A)[0].spi
    pair.deliver(next(each for each in pair.flying if each.to == A))
    pair.deliver(next(each for each in pair.flying if each.to == B and each.message and each.message.is_response))
    for _ in range(30):
        for flight in [each for each in pair.flying if old in wire.peek(each.datagram)[:2]]:
            pair.lose(flight)
        pair.deliver_all()
        pair.advance()
    assert old not in [ike.spi for ike in pair.ikes(A)]
    assert len(pair.children(A)) == len(pair.children(B)) == 1


def test_s2_25_a_child_sa_of_age_is_rekeyed_once_in_a_lifetime() -> None:
    """What is refused is not asked again before another lifetime is over (7296-2.25-03)."""
    pair = Pair(settings=Settings(rekey_child_seconds=100))
    pair.ends[B].environment = pair.ends[B].environment._replace(settings=Settings())
    pair.establish()
    while pair.now < 450 and len(asked(pair)) < 10:
        before = len(asked(pair))
        assert pair.advance()
        if len(asked(pair)) > before:
            answer(pair, N(NotifyType.NO_ADDITIONAL_SAS))
    assert 2 <= len(asked(pair)) <= 6
