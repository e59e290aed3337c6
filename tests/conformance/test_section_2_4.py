"""Section 2.4, rule by rule: who is alive, who is dead, and who has lost everything."""

from dataclasses import replace

import pytest
from ikeref_properties.network import ENDS, PEER, A, B, Pair

from ikeref import sa, wire
from ikeref.policy import identities
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Phase
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, D, Message, N
from tests.conformance.life import (
    AUTH,
    INFO,
    INIT,
    command,
    established,
    kinds,
    messages,
    outputs,
    policies,
    receive,
    replies,
)
from tests.properties.forging import request


def unprotected(pair: Pair, end: str) -> list[bytes]:
    """What anybody can send who saw a message: responses and requests in the clear, with the right SPIs and IDs."""
    (ike,) = pair.ikes(end)
    flag = 0 if ike.initiator else FLAG_INITIATOR
    payloads: tuple[tuple[wire.Payload, ...], ...] = (
        (),
        (D(1, 0, ()),),
        *((N(kind),) for kind in (4, 5, 7, 9, 11, 14, 16, 24, 43, 44, 16384)),
    )
    return [
        wire.encode(Message(ike.spi_i, ike.spi_r, exchange, flag | response, number, content))
        for content in payloads
        for exchange in (INIT, AUTH, INFO)
        for response in (0, FLAG_RESPONSE)
        for number in {0, ike.expected, max(0, ike.next_request - 1)}
    ]


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_s2_4_nothing_unprotected_makes_an_end_believe_that_the_peer_is_dead(end: str, waiting: bool) -> None:
    """While it waits for a response or not, and whatever is said; nothing is done about it."""
    pair = established()
    if waiting:
        pair.command(end, sa.CheckLiveness())
    before = pair.sessions(end)
    for datagram in unprotected(pair, end):
        assert not replies(receive(pair, end, datagram))
        assert pair.sessions(end) == before
    pair.deliver_all()
    assert [ike.phase for each in ENDS for ike in pair.ikes(each)] == [Phase.ESTABLISHED] * 2


def test_s2_4_initial_contact_is_said_in_ike_auth_alone_and_only_where_policy_says_so() -> None:
    """By default it is not, for a credential may be used from several places."""
    for wanted in (False, True):
        pair = established(connections=policies(initial_contact=wanted))
        for end in ENDS:
            command(pair, end, sa.CheckLiveness())
            command(pair, end, sa.RekeyIke())
            command(pair, end, sa.CheckLiveness())
        said = [(m.exchange_type, m.is_response) for m in messages(pair) if "N(INITIAL_CONTACT)" in kinds(m)]
        assert said == ([(AUTH, False), (AUTH, True)] if wanted else [])
    assert not policies()[A].initial_contact


@pytest.mark.parametrize("end", ENDS)
def test_s2_4_initial_contact_in_another_message_means_nothing(end: str) -> None:
    pair = established().establish()
    before = len(pair.ikes(end)), len(pair.children(end))
    command(pair, PEER[end], sa.CheckLiveness())
    answered = request(pair, end, INFO, (N(NotifyType.INITIAL_CONTACT),))
    assert [message.payloads for message in answered.messages] == [()]
    assert (len(pair.ikes(end)), len(pair.children(end))) == before


@pytest.mark.parametrize("end", ENDS)
def test_s2_4_after_a_while_of_silence_the_peer_is_asked_and_any_message_puts_it_off(end: str) -> None:
    """Nothing for ten seconds: an empty INFORMATIONAL. What came under the keys meanwhile begins the wait anew."""
    pair = established(settings=Settings(liveness_seconds=0))
    environment = pair.ends[end].environment
    settings = Settings(liveness_seconds=10)
    pair.ends[end].settings, pair.ends[end].environment = settings, environment._replace(settings=settings)
    pair.now = 6.0
    command(pair, PEER[end], sa.CheckLiveness())
    command(pair, end, sa.CheckLiveness())
    since = len(pair.past)
    pair.advance()
    assert pair.now == 16.0
    (asked,) = [flight.message for flight in pair.past[since:]]
    assert asked is not None
    assert (asked.exchange_type, asked.is_response, asked.payloads) == (INFO, False, ())
    pair.deliver_all()
    pair.now = 20.0
    command(pair, PEER[end], sa.CheckLiveness())
    pair.advance()
    assert pair.now == 30.0


@pytest.mark.parametrize("what", [sa.CheckLiveness(), sa.CreateChild("web")])
@pytest.mark.parametrize("tries", [12])
def test_s2_4_a_dozen_attempts_over_several_minutes_are_a_matter_of_settings(what: sa.Command, tries: int) -> None:
    pair = established(settings=Settings(retransmit_tries=tries, retransmit_initial_seconds=0.5, retransmit_base=1.5))
    pair.command(A, what)
    since = len(pair.records) - 1
    while pair.ikes(A):
        pair.flying.clear()
        pair.advance()
    assert len(outputs(pair, sa.Transmit, end=A, since=since)) == tries + 1
    assert pair.now > 120


def test_s2_4_of_several_ike_sa_init_responses_the_first_that_is_valid_counts() -> None:
    """Another one, as valid as the first, changes nothing any more."""
    pair = Pair(1)
    pair.initiate(A)
    asked = pair.flying[0]
    pair.deliver(asked, keep=True)
    first = pair.flying.pop()
    (second,) = [
        o.datagram
        for o in Pair(3).ends[B].receive(asked.datagram, sa.Path(asked.path.remote, asked.path.local), 0.0)
        if type(o) is sa.Transmit
    ]
    receive(pair, A, first.datagram)
    before = pair.sessions(A)
    assert not replies(receive(pair, A, second))
    assert pair.sessions(A) == before
    fresh = Pair(1)
    fresh.initiate(A)
    assert replies(receive(fresh, A, second))


@pytest.mark.parametrize("end", ENDS)
def test_s2_4_an_idle_child_sa_and_an_idle_ike_sa_can_be_closed_and_the_peer_is_told(end: str) -> None:
    pair = established()
    command(pair, A, sa.CreateChild("web"))
    (child, _) = pair.children(end)
    command(pair, end, sa.DeleteChild(child.spi_in))
    assert [len(pair.children(each)) for each in ENDS] == [1, 1]
    command(pair, end, sa.DeleteIke())
    assert not pair.ikes(A) + pair.ikes(B)
    assert [m.payloads for m in messages(pair, INFO, response=False)] == [(D(3, 4, (child.spi_in,)),), (D(1, 0, ()),)]


def test_s2_4_a_peer_that_does_not_answer_is_not_told() -> None:
    """The life of the IKE SA ends while a request is unanswered: nothing is sent to a peer that is silent."""
    pair = established(settings=Settings(expire_ike_seconds=10))
    pair.now = 9.5
    pair.command(A, sa.CheckLiveness())
    pair.flying.clear()
    since = len(pair.records)
    pair.now = 10.0
    pair.tick()
    assert not pair.ikes(A)
    assert not [t for t in outputs(pair, sa.Transmit, end=A, since=since) if not t.again]


@pytest.mark.parametrize("whose", ["the same", "another peer's", "another of ours"])
def test_s2_4_initial_contact_is_about_the_two_identities_alone(whose: str) -> None:
    """Of an end that has forgotten all; what is left between other identities stays."""
    pair = established(connections=policies(initial_contact=True))
    endpoint = pair.ends[B]
    ((number, session),) = endpoint.sessions.items()
    other = identities.parse("c.example")
    if whose == "another peer's":
        endpoint.sessions[number] = session._replace(peer=other)
    elif whose == "another of ours":
        endpoint.sessions[number] = session._replace(connection=replace(session.connection, local_id=other))
    pair.ends[A].environment = pair.ends[A].environment._replace(knows=lambda *_: False)
    pair.establish()
    assert "N(INITIAL_CONTACT)" in kinds(messages(pair, AUTH, response=False)[1])
    assert (number in endpoint.sessions) is (whose != "the same")
