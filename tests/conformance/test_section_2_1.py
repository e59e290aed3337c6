"""Sections 2 to 2.3, rule by rule: size, retransmission, message IDs and windows."""

import itertools

import pytest
from ikeref_properties.network import ENDS, PEER, A, B, Pair, connection

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Phase
from ikeref.wire import D, N, V
from tests.conformance.life import (
    ESP,
    INFO,
    INIT,
    command,
    done,
    established,
    messages,
    outputs,
    receive,
    replies,
)
from tests.properties.forging import arrive, request, sealed


def ikes(pair: Pair, end: str) -> sa.IkeSa:
    return pair.ikes(end)[-1]


# Section 2


@pytest.mark.parametrize("octets", [1280, 3000])
@pytest.mark.parametrize("end", ENDS)
def test_s2_messages_of_that_size_are_sent_taken_and_answered(end: str, octets: int) -> None:
    """Without fragmentation: a message under the keys, and IKE_SA_INIT with as many proposals."""
    pair = established(settings=Settings(fragment_octets=0))
    command(pair, PEER[end], sa.CheckLiveness())
    peer, number = ikes(pair, PEER[end]), ikes(pair, end).expected
    filled = 0
    datagram = b""
    while len(datagram) < octets:
        datagram = sealed(peer, INFO, (V(bytes(filled)),), number)
        filled += 1
    assert len(datagram) == octets
    assert [message.payloads for message in arrive(pair, end, datagram).messages] == [()]
    several = ", ".join(["aes128-sha256-modp2048-modp3072-modp4096-ecp256-ecp384-ecp521-x25519"] * (octets // 75))
    long = Pair(1, connections={each: connection(each, ike=several) for each in ENDS}).establish(end)
    assert len(long.past[0].datagram) >= octets
    assert len(ikes(long, A).outstanding) == len(ikes(long, B).outstanding) == 0


@pytest.mark.parametrize("lost", range(4))
def test_s2_loss_copies_and_forgeries_do_not_keep_ends_apart(lost: int) -> None:
    """One datagram of each exchange is lost at first, all arrive twice, and with each comes one with a bit changed."""
    pair = Pair(1)
    pair.initiate(A)
    count = 0
    for _ in range(60):
        while pair.flying:
            flight = pair.flying[0]
            count += 1
            if count % 4 == lost and not flight.again:
                pair.lose(flight)
                continue
            broken = flight.datagram[:30] + bytes((flight.datagram[30] ^ 1,)) + flight.datagram[31:]
            receive(pair, flight.to, broken)
            pair.deliver(flight, keep=True)
            pair.deliver(flight)
        if all(ike.phase is Phase.ESTABLISHED for end in ENDS for ike in pair.ikes(end)):
            break
        pair.advance()
    assert [ike.phase for end in ENDS for ike in pair.ikes(end)] == [Phase.ESTABLISHED] * 2
    assert len(pair.children(A)) == len(pair.children(B)) == 1


# Section 2.1


@pytest.mark.parametrize("window", [1, 4])
def test_s2_1_requests_of_both_ends_are_under_way_at_once(window: int) -> None:
    pair = established(settings=Settings(window_size=window))
    for end in ENDS:
        for each in (sa.CheckLiveness(), sa.CreateChild("web")):
            pair.command(end, each)
    assert len(pair.flying) == 2 * min(window, 2)
    assert not [flight for flight in pair.flying if flight.message is None or flight.message.is_response]
    pair.deliver_all()
    assert not outputs(pair, sa.Failed)
    assert len(pair.children(A)) == 3


def test_s2_1_a_response_is_sent_again_on_request_only() -> None:
    """Who answered has timers of its own, which run; they send requests and no response."""
    pair = established(settings=Settings(rekey_child_seconds=3))
    pair.command(A, sa.CheckLiveness())
    pair.deliver(pair.flying[0])
    since = len(pair.records)
    for _ in range(8):
        pair.flying.clear()
        pair.advance()
    sent = [t.message for t in outputs(pair, sa.Transmit, end=B, since=since) if t.message is not None]
    assert sent
    assert not [message for message in sent if message.is_response]


@pytest.mark.parametrize("end", ENDS)
def test_s2_1_a_request_that_comes_again_does_nothing_but_bring_the_same_response(end: str) -> None:
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (theirs,) = pair.children(PEER[end])
    datagram = sealed(ikes(pair, PEER[end]), INFO, (D(ESP, 4, (theirs.spi_in,)),), ikes(pair, end).expected)
    first = arrive(pair, end, datagram).outputs
    before = pair.sessions(end)
    again = arrive(pair, end, datagram).outputs
    assert any(type(output) is sa.Remove for output in first)
    assert [type(output) for output in again] == [sa.Replayed, sa.Transmit]
    assert [o.datagram for o in first if type(o) is sa.Transmit] == [
        o.datagram for o in again if type(o) is sa.Transmit
    ]
    assert pair.sessions(end) == before


@pytest.mark.parametrize("window", [1, 2, 4])
def test_s2_1_a_response_is_kept_until_the_requester_has_gone_on_by_a_window(window: int) -> None:
    """Then its request is ignored, and not answered anew."""
    pair = established(settings=Settings(window_size=window))
    pair.command(A, sa.CheckLiveness())
    flight = pair.flying[0]
    pair.deliver_all()
    for number in range(1, window + 3):
        again = replies(receive(pair, B, flight.datagram))
        assert bool(again) is (number <= window)
        command(pair, A, sa.CheckLiveness())
    assert ikes(pair, B).expected == ikes(pair, A).next_request


@pytest.mark.parametrize("end", ENDS)
def test_s2_1_of_a_closed_ike_sa_the_last_response_is_forgotten_after_a_while(end: str) -> None:
    pair = established(settings=Settings(closed_linger_seconds=60))
    pair.command(PEER[end], sa.DeleteIke())
    flight = pair.flying[0]
    pair.deliver_all()
    pair.now = 59.0
    assert replies(receive(pair, end, flight.datagram))
    pair.now = 61.0
    pair.tick()
    assert not pair.sessions(end)
    assert [type(p) for m in replies(receive(pair, end, flight.datagram)) for p in m.payloads] in ([], [N])


@pytest.mark.parametrize("end", ENDS)
def test_s2_1_who_gets_no_answer_sends_the_same_octets_again_and_gives_up_in_the_end(end: str) -> None:
    """The IKE SA goes, and with it every Child SA, of which there are two; the waits grow."""
    pair = established(settings=Settings(retransmit_tries=4))
    command(pair, end, sa.CreateChild("web"))
    pair.command(end, sa.CreateChild("web"))
    since, moments = len(pair.records) - 1, [pair.now]
    while pair.ikes(end):
        pair.flying.clear()
        pair.advance()
        moments.append(pair.now)
    sent = outputs(pair, sa.Transmit, end=end, since=since)
    assert len({transmit.datagram for transmit in sent}) == 1
    assert len(sent) == 5
    waits = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert all(later / sooner == pytest.approx(1.8) for sooner, later in itertools.pairwise(waits))
    assert sorted(gone.inbound for gone in outputs(pair, sa.Remove, end=end, since=since)) == [False, False, True, True]
    assert outputs(pair, sa.Closed, end=end, since=since)[0].reason == "the peer does not answer"
    assert not pair.sessions(end)


# Section 2.2


def test_s2_2_ike_sa_init_has_message_id_0_however_often_it_is_sent() -> None:
    """With a cookie and with another group."""
    connections = {
        A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
        B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
    }
    pair = established(connections=connections, settings=Settings(cookie_threshold=0))
    assert [message.message_id for message in messages(pair, INIT)] == [0] * 6
    assert ikes(pair, A).next_request == 2


@pytest.mark.parametrize("end", ENDS)
def test_s2_2_each_end_counts_its_own_requests(end: str) -> None:
    """Three by one end, two by the other: each series rises by one from where IKE_AUTH left it."""
    pair = established()
    for each in (end, PEER[end], end, PEER[end], end):
        command(pair, each, sa.CheckLiveness())
    first = {A: 2, B: 0}
    for each, count in ((end, 3), (PEER[end], 2)):
        ids = [message.message_id for message in messages(pair, INFO, end=each, response=False)]
        assert ids == list(range(first[each], first[each] + count))
        assert [m.message_id for m in messages(pair, INFO, end=PEER[each], response=True)] == ids


def test_s2_2_four_messages_with_one_message_id_are_told_apart() -> None:
    """Requests and responses of both ends, in flight together, and again later."""
    pair = established()
    for _ in range(2):
        command(pair, B, sa.CheckLiveness())
    for end in ENDS:
        pair.command(end, sa.CheckLiveness())
    requests = list(pair.flying)
    for flight in requests:
        pair.deliver(flight)
    all_four = requests + list(pair.flying)
    said = [flight.message for flight in all_four if flight.message is not None]
    assert {message.message_id for message in said} == {2}
    assert len({message.flags for message in said}) == 4
    pair.deliver_all()
    assert not ikes(pair, A).outstanding + ikes(pair, B).outstanding
    assert (ikes(pair, A).expected, ikes(pair, B).expected) == (3, 3)


def test_s2_2_what_was_recorded_has_no_effect_later() -> None:
    """Every datagram of a life arrives again: nothing changes, and nothing is sent but what was sent before."""
    pair = established()
    for end in ENDS:
        command(pair, end, sa.CreateChild("web"))
        command(pair, end, sa.RekeyChild(pair.children(end)[0].spi_in))
    before = {end: pair.sessions(end) for end in ENDS}
    known = {flight.datagram for flight in pair.past}
    for flight in list(pair.past):
        record = pair.deliver(flight, keep=True)
        assert {transmit.datagram for transmit in done(record, sa.Transmit)} <= known
        assert not done(record, sa.Install) + done(record, sa.Remove)
    assert {end: pair.sessions(end) for end in ENDS} == before


# Section 2.3


@pytest.mark.parametrize("end", ENDS)
def test_s2_3_without_an_announcement_each_request_waits_for_the_last_response(end: str) -> None:
    """The peer said nothing: one at a time, though this end would take four."""
    pair = Pair(1)
    pair.ends[end].environment = pair.ends[end].environment._replace(settings=Settings(window_size=4))
    pair.establish()
    pair.command(end, sa.CheckLiveness())
    pair.command(end, sa.CreateChild("web"))
    assert len(pair.flying) == 1
    pair.deliver(pair.flying[0])
    assert len(pair.flying) == 1
    pair.deliver(pair.flying[0])
    assert [flight.to for flight in pair.flying] == [PEER[end]]


@pytest.mark.parametrize("end", ENDS)
def test_s2_3_requests_are_served_while_ones_own_are_outstanding(end: str) -> None:
    """Several, one after the other."""
    pair = established(settings=Settings(window_size=4))
    pair.command(end, sa.CheckLiveness())
    waiting = pair.flying.pop()
    number = ikes(pair, end).expected
    peer = ikes(pair, PEER[end])
    for offset in range(3):
        answered = arrive(pair, end, sealed(peer, INFO, (N(40000 + offset),), number + offset))
        assert [message.payloads for message in answered.messages] == [()]
    assert len(ikes(pair, end).outstanding) == 1
    pair.deliver(waiting, keep=True)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("window", [1, 4])
def test_s2_3_what_is_outside_of_the_window_is_not_acknowledged(window: int, end: str) -> None:
    """Below what is kept or above the window: no answer, no INVALID_MESSAGE_ID in any response or request."""
    pair = established(settings=Settings(window_size=window))
    for _ in range(6):
        command(pair, PEER[end], sa.CheckLiveness())
    peer, expected = ikes(pair, PEER[end]), ikes(pair, end).expected
    before = pair.sessions(end)
    for number in (0, expected - window - 1, expected + window, expected + 1000, 0xFFFFFFFF):
        for _ in range(3):
            assert not arrive(pair, end, sealed(peer, INFO, (), number)).messages
    assert pair.sessions(end) == before
    assert arrive(pair, end, sealed(peer, INFO, (), expected + window - 1)).messages
    told = request(pair, end, INFO, (N(NotifyType.INVALID_MESSAGE_ID, b"\0\0\0\7"),)) if window == 1 else None
    assert told is None or [message.payloads for message in told.messages] == [()]
