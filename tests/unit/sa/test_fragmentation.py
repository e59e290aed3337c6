"""Messages in fragments: negotiated, cut, put together, bounded, forgotten (RFC 7383)."""

from collections.abc import Callable
from itertools import permutations

import pytest
from ikeref_properties.network import A, B, Flight, Pair, Record
from ikeref_properties.refinement import Observer

from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.errors import Dropped
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType, PayloadType
from ikeref.sa.turn import Turn
from ikeref.wire import SKF, N

SMALL = Settings(fragment_octets=120)
WHOLE = Settings(fragment_octets=0)


def pair(settings: Settings = SMALL, **options: object) -> Pair:
    """Two ends that have not begun; every step is held against the rows."""
    observers = {end: Observer(end) for end in (A, B)}

    def watch(record: Record) -> None:
        verdict = observers[record.end].observe(record)
        assert verdict.ok, verdict.explanation

    return Pair(settings=settings, watch=watch, **options)  # type: ignore[arg-type]  # options of Pair


def fragments(ends: Pair) -> list[Flight]:
    """The fragments in flight."""
    return [each for each in ends.flying if wire.peek(each.datagram).next_payload == PayloadType.SKF]


def numbers(flight: Flight) -> tuple[int, int]:
    closed = wire.decode(flight.datagram).payloads[-1]
    assert isinstance(closed, SKF)
    return closed.fragment_number, closed.total_fragments


def at_auth(settings: Settings = SMALL) -> Pair:
    """IKE_AUTH is on its way, in fragments."""
    ends = pair(settings)
    ends.initiate()
    ends.deliver(ends.flying[0])
    ends.deliver(ends.flying[0])
    return ends


def announces(ends: Pair) -> list[bool]:
    """Which IKE_SA_INIT messages, request and response, announce fragmentation."""
    return [
        any(type(p) is N and p.type == NotifyType.IKEV2_FRAGMENTATION_SUPPORTED for p in each.message.payloads)
        for each in ends.past
        if each.message is not None and each.message.exchange_type == ExchangeType.IKE_SA_INIT
    ]


def established(ends: Pair) -> bool:
    return all(ike.phase is sa.Phase.ESTABLISHED for end in (A, B) for ike in ends.ikes(end)) and all(
        len(ends.children(end)) == 1 for end in (A, B)
    )


@pytest.mark.parametrize("crypto", [None, RealCrypto])
def test_s7383_2_5_a_life_in_fragments(crypto: Callable[[], RealCrypto] | None) -> None:
    ends = pair(crypto=crypto) if crypto else pair()
    ends.establish()
    assert fragments_sent(ends)
    ends.command(A, sa.CreateChild("web"))
    ends.command(B, sa.RekeyIke())
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == 2
    for end in (A, B):
        for child in ends.children(end)[:1]:
            ends.command(end, sa.RekeyChild(child.spi_in))
    ends.settle()
    ends.command(A, sa.DeleteIke())
    ends.settle()
    assert not ends.children(A)
    assert not ends.children(B)


def fragments_sent(ends: Pair) -> int:
    return sum(wire.peek(each.datagram).next_payload == PayloadType.SKF for each in ends.past)


def test_s7383_2_3_announced_by_both_or_not_used() -> None:
    """7383-2.3-01, 7383-2.4-01."""
    assert announces(pair().establish()) == [True, True]
    silent = pair(WHOLE).establish()
    assert announces(silent) == [False, False]
    for off in (A, B):
        ends = pair()
        ends.ends[off].environment = ends.ends[off].environment._replace(settings=WHOLE)
        ends.establish()
        assert announces(ends) == ([False, False] if off == A else [True, False])
        assert fragments_sent(ends) == 0
        assert established(ends)


def test_s7383_2_5_the_fragments_of_a_message() -> None:
    """7383-2.5-02, 7383-2.5-03, 7383-2.5-04, 7383-2.5-07, 7383-2.5-08, 7383-2.5.1-01."""
    ends = at_auth()
    sent = fragments(ends)
    total = len(sent)
    assert total > 2
    headers = [wire.peek(each.datagram) for each in sent]
    assert [numbers(each) for each in sent] == [(n, total) for n in range(1, total + 1)]
    closed = [wire.decode(each.datagram).payloads[-1] for each in sent]
    assert [each.next_payload for each in closed if isinstance(each, SKF)] == [PayloadType.IDi] + [0] * (total - 1)
    assert len({header._replace(length=0) for header in headers}) == 1
    assert all(len(each.datagram) + 28 <= SMALL.fragment_octets for each in sent)
    ivs = {each.body[:8] for each in closed if isinstance(each, SKF)}
    assert len(ivs) == total


def test_s7383_2_4_short_messages_go_whole() -> None:
    """7383-2.4-03."""
    ends = pair().establish()
    before = fragments_sent(ends)
    ends.command(A, sa.CheckLiveness())
    ends.deliver_all()
    assert fragments_sent(ends) == before


def test_s7383_2_6_fragments_come_in_any_order() -> None:
    total = len(fragments(at_auth()))
    for order in list(permutations(range(total)))[:30]:
        ends = at_auth()
        sent = fragments(ends)
        for index in order:
            ends.deliver(sent[index])
        ends.deliver_all()
        assert established(ends), order


def test_s7383_2_6_a_fragment_that_comes_twice_counts_once() -> None:
    """7383-2.6-02."""
    ends = at_auth()
    first, *others = fragments(ends)
    ends.deliver(first, keep=True)
    before = ends.sessions(B)
    ends.deliver(first)
    assert ends.sessions(B) == before
    for each in others:
        ends.deliver(each)
    ends.deliver_all()
    assert established(ends)


def test_s7383_2_1_a_lost_fragment_is_sent_again_with_all_others() -> None:
    ends = at_auth()
    sent = fragments(ends)
    ends.lose(sent[1])
    ends.deliver_all()
    assert ends.ikes(B)[0].phase is sa.Phase.HALF_OPEN
    ends.advance()
    assert [each.datagram for each in fragments(ends)] == [each.datagram for each in sent]
    ends.settle()
    assert established(ends)


def test_s7383_2_6_1_only_the_first_fragment_brings_the_response_again() -> None:
    """7383-2.6.1-02."""
    ends = at_auth()
    sent = fragments(ends)
    for each in sent:
        ends.deliver(each)
    response = [each.datagram for each in ends.flying]
    for each in sent[1:]:
        ends.flying.append(each)
        assert not [out for out in ends.deliver(each).outputs if isinstance(out, sa.Transmit)]
    ends.flying.append(sent[0])
    again = [out for out in ends.deliver(sent[0]).outputs if isinstance(out, sa.Transmit)]
    assert [out.datagram for out in again] == response
    assert all(out.again for out in again)


def test_s7383_2_6_an_altered_fragment_is_dropped_alone() -> None:
    """7383-2.6-03."""
    ends = at_auth()
    sent = fragments(ends)
    forged = sent[1]._replace(datagram=sent[1].datagram[:-1] + bytes((sent[1].datagram[-1] ^ 1,)))
    before = ends.sessions(B)
    ends.ends[B].receive(forged.datagram, forged.path, ends.now)
    assert ends.sessions(B) == before
    ends.deliver_all()
    assert established(ends)


def test_s7383_2_6_more_fragments_replace_fewer() -> None:
    """7383-2.6-04, 7383-2.6-01: a new cut of the message starts over, and fragments of the old one come too late."""
    coarse, fine = at_auth(Settings(fragment_octets=170)), at_auth()
    old, new = fragments(coarse), fragments(fine)
    assert len(old) < len(new)
    ends = coarse
    ends.deliver(old[0])
    for flight in new:
        ends.flying.append(flight)
    ends.deliver(new[0])
    assert [each.total for each in ends.ikes(B)[0].partial] == [len(new)]
    before = ends.sessions(B)
    ends.deliver(old[1])
    assert ends.sessions(B) == before
    for flight in new[1:]:
        ends.deliver(flight)
    assert ends.ikes(B)[0].phase is sa.Phase.ESTABLISHED


def test_s7383_2_6_incomplete_messages_are_forgotten() -> None:
    """7383-2.6-05, 7383-2.6-06."""
    ends = pair().establish()
    ends.command(A, sa.CreateChild("web"))
    sent = fragments(ends)
    assert not [out for out in ends.deliver(sent[0]).outputs if isinstance(out, sa.Transmit)]
    assert ends.ikes(B)[0].partial
    for each in list(ends.flying):
        ends.lose(each)
    for _ in range(20):
        ends.advance()
        for each in list(ends.flying):
            ends.lose(each)
    assert not ends.ikes(B)[0].partial
    assert ends.ikes(B)[0].phase is sa.Phase.ESTABLISHED


def test_s7383_2_6_the_number_of_fragments_is_bounded() -> None:
    ends = at_auth(Settings(fragment_octets=120, fragment_limit=2))
    before = ends.sessions(B)
    for each in fragments(ends):
        ends.ends[B].receive(each.datagram, sa.Path(each.path.remote, each.path.local), ends.now)
    assert ends.sessions(B) == before


def test_s7383_2_6_fragments_of_answered_and_of_distant_requests_are_not_kept() -> None:
    ends = pair().establish()
    sent = [each for each in ends.past if wire.peek(each.datagram).next_payload == PayloadType.SKF and each.to == B]
    before = ends.sessions(B)
    for each in sent[1:]:
        ends.ends[B].receive(each.datagram, sa.Path(each.path.remote, each.path.local), ends.now)
    assert ends.sessions(B) == before


def test_s7383_2_4_fragments_that_were_not_negotiated_are_dropped() -> None:
    """7383-2.4-01."""
    ends = at_auth()
    number, session = next(iter(ends.ends[B].sessions.items()))
    ends.ends[B].sessions[number] = session._replace(ikes=(session.ikes[0]._replace(fragmentation=False),))
    flight = fragments(ends)[0]
    path = sa.Path(flight.path.remote, flight.path.local)
    with pytest.raises(Dropped, match="not negotiated"):
        sa.step(ends.ends[B].sessions[number], sa.Datagram(flight.datagram, path), 0.0, ends.ends[B].environment)


def test_s7383_2_6_a_malformed_whole_is_answered_as_one() -> None:
    """Once complete it is processed like any message: INVALID_SYNTAX under protection (Section 2.21.3)."""
    ends = pair().establish()
    (ike,) = ends.ikes(A)
    junk = (wire.V(bytes(200)), wire.Nonce(bytes(20)), wire.Nonce(bytes(20)))
    message = wire.Message(ike.spi_i, ike.spi_r, ExchangeType.CREATE_CHILD_SA, 0x08, ike.next_request, junk)
    (session,) = ends.sessions(A)
    turn = Turn(session, ends.now, ends.ends[A].environment)
    answers: list[sa.Output] = []
    for datagram in turn.seal(ike, message):
        answers += ends.ends[B].receive(datagram, sa.Path(ike.path.remote, ike.path.local), ends.now)
    (answer,) = [each for each in answers if isinstance(each, sa.Transmit)]
    assert answer.message is not None
    assert [p.type for p in answer.message.payloads if type(p) is N] == [NotifyType.INVALID_SYNTAX]
