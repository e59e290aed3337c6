"""Windows above 1: SET_WINDOW_SIZE, order, retransmission, what starts alone (Section 2.3)."""

from itertools import permutations

import pytest
from ikeref_properties.network import A, B, Flight, Pair, connection

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import informational
from ikeref.wire import N

NAMES = ("net", "web", "mail", "voice", "backup")


def pair(size: int, *, starting: int = 1, liveness: float = 0.0) -> Pair:
    """Two established ends that each take so many requests at once."""
    settings = Settings(window_size=size, liveness_seconds=liveness)
    connections = {end: connection(end, children=NAMES, starting=starting) for end in (A, B)}
    return Pair(settings=settings, connections=connections).establish()


def ike(ends: Pair, end: str) -> sa.IkeSa:
    return ends.ikes(end)[-1]


def takes(ends: Pair, end: str, size: int) -> None:
    """From now on that end announces that window."""
    endpoint = ends.ends[end]
    endpoint.environment = endpoint.environment._replace(settings=Settings(window_size=size))


def requests(ends: Pair) -> list[int]:
    """The message IDs of the requests in flight."""
    return [each.message.message_id for each in ends.flying if each.message and not each.message.is_response]


def announced(ends: Pair, exchange: ExchangeType) -> list[bytes]:
    """What SET_WINDOW_SIZE said, in the messages of that exchange."""
    return [
        payload.data
        for each in ends.past
        if each.message is not None and each.message.exchange_type == exchange
        for payload in each.message.payloads
        if type(payload) is N and payload.type == NotifyType.SET_WINDOW_SIZE
    ]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_s2_3_the_window_is_announced_in_ike_auth(size: int) -> None:
    ends = pair(size)
    expected = [] if size == 1 else [size.to_bytes(4, "big")] * 2
    assert announced(ends, ExchangeType.IKE_AUTH) == expected
    assert {(ike(ends, end).window, ike(ends, end).peer_window) for end in (A, B)} == {(size, size)}


@pytest.mark.parametrize("size", [1, 2, 4])
def test_s2_3_no_more_requests_are_outstanding_than_the_peer_takes(size: int) -> None:
    """7296-2.3-08."""
    ends = pair(size)
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
    assert requests(ends) == list(range(2, 2 + size))
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == len(NAMES)


def test_s2_3_each_end_has_a_window_of_its_own() -> None:
    connections = {end: connection(end, children=NAMES) for end in (A, B)}
    ends = Pair(connections=connections)
    takes(ends, B, 3)
    ends.establish()
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
        ends.command(B, sa.CreateChild(name))
    sent = [(each.to, each.message.message_id) for each in ends.flying if each.message is not None]
    assert sorted(sent) == [("A", 0), ("B", 2), ("B", 3), ("B", 4)]


def test_s2_3_a_gap_holds_the_window() -> None:
    """7296-2.3-09: X waits for all up to X - N, however many of those in between are answered."""
    ends = pair(2)
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
    first, second = ends.flying
    ends.lose(first)
    ends.deliver(second)
    ends.deliver(ends.flying[0])  # the response to the second
    assert ike(ends, A).waiting == (2,)
    assert requests(ends) == []
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == len(NAMES)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_s2_3_requests_of_a_window_are_processed_in_any_order(order: tuple[int, ...]) -> None:
    """7296-2.3-12."""
    ends = pair(4)
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
    flights = list(ends.flying)
    for index in order:
        ends.deliver(flights[index])
    responses = list(ends.flying)
    for index in order[::-1]:
        ends.deliver(responses[index])
    assert ends.flying == []
    assert ike(ends, B).expected == 6
    assert len(ends.children(B)) == len(NAMES)
    assert {(c.spi_in, c.spi_out) for c in ends.children(A)} == {(c.spi_out, c.spi_in) for c in ends.children(B)}


def test_s2_1_every_request_of_a_window_gets_its_own_response_again() -> None:
    """7296-2.3-11, 7296-2.1-04."""
    ends = pair(4)
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
    flights = list(ends.flying)
    first: dict[int, bytes] = {}
    for flight in (flights[2], flights[0], flights[3], flights[1]):
        ends.deliver(flight, keep=True)
        answer = ends.flying[-1]
        assert answer.message is not None
        first[answer.message.message_id] = answer.datagram
    for flight in flights:
        record = ends.deliver(flight)
        (again,) = [each for each in record.outputs if isinstance(each, sa.Transmit)]
        assert again.again
        assert again.message is not None
        assert again.datagram == first[again.message.message_id]
    assert len(ends.children(B)) == len(NAMES)


def test_s2_3_what_the_requester_has_is_forgotten() -> None:
    ends = pair(2)
    for name in NAMES[1:]:
        ends.command(A, sa.CreateChild(name))
    old = ends.flying[0]
    ends.settle()
    assert ike(ends, B).answered == (4, 5)
    before = ends.sessions(B)
    ends.flying.append(old)
    record = ends.deliver(old)
    assert not [each for each in record.outputs if isinstance(each, sa.Transmit)]
    assert ends.sessions(B) == before


def test_s2_3_a_request_beyond_the_window_is_dropped() -> None:
    """7296-2.3-16: neither processed nor answered."""
    ends = pair(1)
    sender = ends.ends[A]
    (number,) = sender.sessions
    session = sender.sessions[number]
    sender.sessions[number] = session._replace(ikes=(session.ikes[0]._replace(peer_window=9),))
    ends.command(A, sa.CreateChild("web"))
    ends.command(A, sa.CreateChild("mail"))
    beyond = ends.flying[1]
    record = ends.deliver(beyond)
    assert not [each for each in record.outputs if isinstance(each, sa.Transmit)]
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == 3


def test_s2_3_a_window_never_shrinks() -> None:
    """7296-2.3-13."""
    ends = pair(4)
    takes(ends, A, 2)
    ends.command(A, sa.AnnounceWindow())
    ends.deliver_all()
    assert announced(ends, ExchangeType.INFORMATIONAL) == [(2).to_bytes(4, "big")]
    assert ike(ends, B).peer_window == 4
    assert ike(ends, A).window == 4


def test_s2_3_a_rekeyed_ike_sa_begins_with_a_window_of_one() -> None:
    """7296-2.3-14."""
    ends = pair(4)
    ends.command(A, sa.RekeyIke())
    ends.deliver(ends.flying[0])
    fresh = ike(ends, B)
    assert (fresh.window, fresh.peer_window) == (4, 1)  # Announced at once, in a request that is on its way.
    ends.settle()
    assert announced(ends, ExchangeType.INFORMATIONAL) == [(4).to_bytes(4, "big")] * 2
    assert {(ike(ends, end).window, ike(ends, end).peer_window) for end in (A, B)} == {(4, 4)}


@pytest.mark.parametrize("alone", [sa.RekeyIke(), sa.DeleteIke()])
def test_s2_25_what_ends_or_replaces_the_ike_sa_is_begun_alone(alone: sa.Command) -> None:
    ends = pair(4)
    ends.command(A, sa.CreateChild("web"))
    ends.command(A, alone)
    assert requests(ends) == [2]
    ends.deliver_all()
    ends.settle()
    if isinstance(alone, sa.RekeyIke):
        assert len(ends.children(A)) == len(ends.children(B)) == 2
    else:
        assert ends.children(A) == ends.children(B) == ()


def test_s2_25_nothing_is_begun_while_the_ike_sa_is_rekeyed() -> None:
    ends = pair(4)
    ends.command(A, sa.RekeyIke())
    ends.command(A, sa.CreateChild("web"))
    assert requests(ends) == [2]
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == 2


def test_s2_25_a_child_sa_is_not_deleted_while_it_is_rekeyed() -> None:
    ends = pair(4)
    (child,) = ends.children(A)
    ends.command(A, sa.RekeyChild(child.spi_in))
    ends.command(A, sa.DeleteChild(child.spi_in))
    assert requests(ends) == [2]
    ends.settle()
    assert len(ends.children(A)) == len(ends.children(B)) == 1


def test_s2_8_1_two_child_sas_are_rekeyed_by_both_ends_at_once() -> None:
    """Crossings are remembered each with its own Child SA."""
    ends = pair(4)
    ends.command(A, sa.CreateChild("web"))
    ends.deliver_all()
    for end in (A, B):
        for child in ends.children(end):
            ends.command(end, sa.RekeyChild(child.spi_in))
    assert len(requests(ends)) == 4
    for flight in list(ends.flying)[::-1]:
        ends.deliver(flight)
    ends.settle()
    assert len(ends.children(A)) == 2
    assert {(c.spi_in, c.spi_out) for c in ends.children(A)} == {(c.spi_out, c.spi_in) for c in ends.children(B)}


def test_s2_1_each_request_of_a_window_is_retransmitted() -> None:
    ends = pair(3)
    for name in NAMES[1:4]:
        ends.command(A, sa.CreateChild(name))
    lost: list[Flight] = list(ends.flying)
    for flight in lost:
        ends.lose(flight)
    ends.advance()
    assert [each.datagram for each in ends.flying] == [each.datagram for each in lost]


def test_s2_4_a_silent_peer_is_given_up_with_a_window_of_requests() -> None:
    ends = pair(3)
    for name in NAMES[1:4]:
        ends.command(A, sa.CreateChild(name))
    for _ in range(20):
        for flight in list(ends.flying):
            ends.lose(flight)
        ends.advance()
    assert ends.ikes(A) == ()


def test_s2_3_a_malformed_announcement_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-2.3-02: exactly four octets."""
    ends = pair(1)
    before = ike(ends, B)
    monkeypatch.setattr(informational, "window_size", lambda _size: (N(NotifyType.SET_WINDOW_SIZE, b"\0\4"),))
    ends.command(A, sa.AnnounceWindow())
    ends.deliver_all()
    assert ike(ends, B).peer_window == before.peer_window == 1
