"""Sections 1.5, 2.4 and 2.21.4: hints that anyone can send lead to a liveness check, rarely, and to nothing else."""

from collections.abc import Callable

import pytest
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, Flight, Pair
from ikeref_properties.refinement.observer import Observer

from ikeref import sa, wire
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Output, Path
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, Message, N
from tests.conformance.life import INFO, established, receive, replies

Hint = Callable[[Pair, str], tuple[Output, ...]]
SPI = b"\x01\x02\x03\x04"


def here(end: str) -> Path:
    return Path(ADDRESS[end], ADDRESS[PEER[end]])


def icmp(pair: Pair, end: str) -> tuple[Output, ...]:
    """The network says that the peer can't be reached."""
    return pair.ends[end].hint(here(end), pair.now)


def lost_child(pair: Pair, end: str) -> tuple[Output, ...]:
    """The peer seems to have no Child SA, nor an IKE SA to say so over (Section 1.5)."""
    hint = Message(b"a" * 8, b"b" * 8, INFO, FLAG_INITIATOR, 0, (N(NotifyType.INVALID_SPI, SPI),))
    return receive(pair, end, wire.encode(hint), here(end))


def lost_ike(pair: Pair, end: str) -> tuple[Output, ...]:
    """It seems to have no IKE SA: what it would answer to the last request of this end."""
    (ike,) = pair.ikes(end)
    flags = FLAG_RESPONSE | (0 if ike.initiator else FLAG_INITIATOR)
    number = max(0, ike.next_request - 1)
    hint = Message(ike.spi_i, ike.spi_r, INFO, flags, number, (N(NotifyType.INVALID_IKE_SPI),))
    return receive(pair, end, wire.encode(hint), here(end))


HINTS: tuple[Hint, ...] = (icmp, lost_child, lost_ike)


def sent(found: tuple[Output, ...]) -> list[sa.Transmit]:
    return [output for output in found if type(output) is sa.Transmit]


def answer(pair: Pair, end: str, found: tuple[Output, ...]) -> None:
    """The peer gets what was sent, and its answer comes back."""
    for out in sent(found):
        for back in sent(receive(pair, PEER[end], out.datagram)):
            receive(pair, end, back.datagram)


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("end", ENDS)
def test_s2_4_a_hint_has_a_silent_peer_asked_whether_it_lives(hint: Hint, end: str) -> None:
    """7296-2.4-10, 7296-2.21.4-09: an empty INFORMATIONAL request under protection. It is all that happens: the session
    is what it were, had an operator asked."""
    pair, other = established(), established()
    pair.now = other.now = 31.0
    children, (ike,) = pair.children(end), pair.ikes(end)
    (check,) = sent(hint(pair, end))
    assert check.path == ike.path
    assert check.message is not None
    assert (check.message.exchange_type, check.message.is_response, check.message.payloads) == (INFO, False, ())
    assert [type(payload) for payload in wire.decode(check.datagram).payloads] == [wire.SK]
    other.ends[end].command(1, sa.CheckLiveness(), 31.0)
    assert pair.sessions(end) == other.sessions(end)
    assert pair.children(end) == children
    assert replies((check,)) == [check.message]
    answer(pair, end, (check,))
    assert [each.outstanding for each in pair.ikes(end)] == [()]


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("end", ENDS)
def test_s2_4_a_peer_that_was_heard_lately_is_not_asked(hint: Hint, end: str) -> None:
    """By its own messages under protection."""
    pair = established()
    pair.now = 29.0
    assert not sent(hint(pair, end))
    pair.command(PEER[end], sa.CheckLiveness())
    pair.deliver_all()
    pair.now = 58.0
    before = pair.sessions(end)
    assert not sent(hint(pair, end))
    assert pair.sessions(end) == before
    pair.now = 59.0
    assert len(sent(hint(pair, end))) == 1


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("end", ENDS)
def test_s2_21_4_a_flood_of_hints_costs_one_check_in_a_while(hint: Hint, end: str) -> None:
    """7296-2.21.4-10, 7296-2.4-13: ten a second, for ten minutes."""
    pair = established()
    checks = 0
    for tenth in range(6000):
        pair.now = tenth / 10
        found = hint(pair, end)
        checks += len(sent(found))
        answer(pair, end, found)
    assert checks == 19
    assert [len(pair.ikes(each)) for each in ENDS] == [1, 1]


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("end", ENDS)
def test_s2_21_4_a_flood_of_hints_does_not_hasten_giving_up(hint: Hint, end: str) -> None:
    """The peer is gone indeed: it is given up when it would be without hints, after as many transmissions."""
    runs = []
    for flood in (False, True):
        pair = established()
        pair.now = 31.0
        pair.command(end, sa.CheckLiveness())
        transmissions = 1
        while pair.ikes(end):
            if flood:
                for _ in range(20):
                    assert not sent(hint(pair, end))
            deadline = pair.ends[end].next_deadline()
            assert deadline is not None
            pair.now = deadline
            transmissions += len(sent(pair.ends[end].timer(pair.now)))
        runs.append((pair.now, transmissions))
    assert runs[0] == runs[1]
    assert runs[0][1] == 6


@pytest.mark.parametrize("end", ENDS)
def test_s2_21_4_a_hint_from_elsewhere_or_where_policy_wants_none_starts_nothing(end: str) -> None:
    """Another address; another port where a NAT may be before the peer."""
    pair = established()
    pair.now = 31.0
    path = here(end)
    assert not sent(pair.ends[end].hint(path._replace(remote=("198.51.100.7", 500)), pair.now))
    assert not sent(established(settings=Settings(hint_seconds=0)).ends[end].hint(path, pair.now))
    ((number, session),) = pair.ends[end].sessions.items()
    behind = tuple(ike._replace(path=path._replace(encapsulated=True)) for ike in session.ikes)
    pair.ends[end].sessions[number] = session._replace(ikes=behind)
    moved = path._replace(remote=(path.remote[0], 40000))
    assert not sent(pair.ends[end].hint(moved, pair.now))
    assert len(sent(pair.ends[end].hint(path, pair.now))) == 1


def test_s2_21_4_one_hint_has_no_crowd_asked_at_once() -> None:
    """All IKE SAs with that address are asked, as many in a second as there may be unprotected answers."""
    pair = Pair(1, settings=Settings(unprotected_answers_per_second=5))
    for _ in range(12):
        pair.establish()
    pair.now = 40.0
    asked = []
    while len(sent(found := icmp(pair, A))) > 0:
        asked.append(len(sent(found)))
        pair.now += 2.0
    assert asked == [5, 5, 2]


def test_s2_4_a_half_open_ike_sa_takes_no_hint() -> None:
    """Nobody is authenticated yet: the exchange that is under way will show."""
    pair = Pair(1)
    pair.initiate()
    pair.now = 40.0
    before = pair.sessions(A)
    assert not sent(icmp(pair, A))
    assert pair.sessions(A) == before


@pytest.mark.parametrize("end", ENDS)
def test_s1_5_packets_of_unknown_spis_are_told_once_in_a_while(end: str) -> None:
    """7296-2.21.4-11, over the IKE SA; never while a request is unanswered. Forged packets make no flood."""
    pair = established()
    told = 0
    for tenth in range(1000):
        pair.now = tenth / 10
        found = pair.ends[end].unknown_spi(tenth.to_bytes(4), here(end), pair.now)
        told += len(sent(found))
        answer(pair, end, found)
    assert told == 4
    pair.now = 200.0
    pair.command(end, sa.CheckLiveness())
    assert not sent(pair.ends[end].unknown_spi(SPI, here(end), pair.now))


@pytest.mark.parametrize("response", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_s2_21_4_the_rows_allow_the_check_and_nothing_else(end: str, response: bool) -> None:
    """Property 17: the message itself changes nothing. Altered is what the end does besides: it closes a Child SA."""
    kind = NotifyType.INVALID_IKE_SPI if response else NotifyType.INVALID_SPI
    pair, observer, strict = Pair(1), Observer(end), Observer(end)
    pair.establish()
    for record in pair.records:
        if record.end == end:
            assert observer.observe(record).ok
            assert strict.observe(record).ok
    pair.now = 31.0
    (ike,), (child,) = pair.ikes(end), pair.children(end)
    flags = (FLAG_RESPONSE if response else 0) | (0 if ike.initiator else FLAG_INITIATOR)
    message = Message(ike.spi_i, ike.spi_r, INFO, flags, 0, (N(kind),))
    flight = Flight(99, end, wire.encode(message), here(PEER[end]), message)
    pair.flying.append(flight)
    record = pair.deliver(flight)
    assert len(sent(record.outputs)) == 1
    verdict = observer.observe(record)
    assert verdict.ok
    assert [match.row.name for match in verdict.rows] == ["input.unprotected", "liveness.send"]
    removed = (sa.Remove(False, child), sa.Remove(True, child))
    assert not strict.observe(record._replace(outputs=(*removed, *record.outputs))).ok
