"""IKE_SA_INIT that is sent anew, and what AUTH says of it in the end (Sections 1.2, 2.6, 2.6.1, 2.15)."""

import hashlib
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ikeref_model.events import Kind, Outcome
from ikeref_properties.network import ADDRESS, ENDS, A, B, Pair, connection
from ikeref_properties.refinement.words import outcome_of

from ikeref import wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, KeGroup, NotifyType
from ikeref.sa import Path, initial
from ikeref.sa.turn import Turn
from ikeref.sa.values import Handshake, IkeSa
from ikeref.wire import KE, NO_SPI, SA, Message, N, Nonce

ROTATION = Settings().cookie_secret_seconds
RIGHT, WRONG = KeGroup.ECP_256, KeGroup.CURVE25519
CONNECTIONS = {
    A: connection(A, ike="aes256gcm16-prfsha256-x25519-ecp256"),
    B: connection(B, ike="aes256gcm16-prfsha256-ecp256-x25519"),
}
"""A tries x25519 first, B wants ecp256."""


class HashingKe(Endpoint):
    """An endpoint whose cookies depend on KEi too (Section 2.6.1)."""

    def _cookie(self, request: Message, path: Path, now: float, which: int = 0) -> bytes:
        plain = super()._cookie(request, path, now, which)
        publics = b"".join(payload.public for payload in request.payloads if type(payload) is KE)
        return hashlib.sha256(plain + publics).digest()


class Round(NamedTuple):
    """A request that B answers."""

    rotations: int
    """How often B's secret changes while it is on its way."""
    demanded: bool
    """Whether B wants cookies by then."""


def expected(rounds: list[Round], keeps: bool, hashing: bool) -> list[Outcome]:
    """The answers to IKE_SA_INIT, as Section 2.6.1 has them."""
    answers: list[Outcome] = []
    epoch, group = 0, WRONG
    cookie: tuple[int, int] | None = None
    for turn in rounds:
        epoch += turn.rotations
        valid = cookie is not None and epoch - cookie[0] <= 1 and (cookie[1] == group or not hashing)
        if turn.demanded and not valid:
            answers.append(Outcome.COOKIE)
            cookie = (epoch, group)
        elif group == WRONG:
            answers.append(Outcome.INVALID_KE_PAYLOAD)
            group = RIGHT
            cookie = cookie if keeps else None
        else:
            return [*answers, Outcome.OK]
    return answers


def forget_cookies(patch: pytest.MonkeyPatch) -> None:
    """An initiator that repeats a cookie in the next request only."""
    again = initial._again

    def mutant(turn: Turn, ike: IkeSa, handshake: Handshake, group: int) -> None:
        kept = handshake if group == handshake.group else handshake._replace(cookie=b"")
        again(turn, ike, kept, group)

    patch.setattr(initial, "_again", mutant)


def answers(rounds: list[Round], keeps: bool, hashing: bool) -> tuple[Pair, list[Message], list[Outcome]]:
    """What two ends really say: the requests, and the answers."""
    pair = Pair(connections=CONNECTIONS)
    kind = HashingKe if hashing else Endpoint
    old = pair.ends[B].environment
    pair.ends[B] = kind((CONNECTIONS[B],), old.crypto, old.random, Settings(cookie_threshold=0))
    requests: list[Message] = []
    heard: list[Outcome] = []
    with pytest.MonkeyPatch.context() as patch:
        if not keeps:
            forget_cookies(patch)
        pair.initiate(A)
        for turn in rounds:
            flight = pair.flying[0]
            assert flight.message is not None
            requests.append(flight.message)
            pair.ends[B].settings = Settings(cookie_threshold=0)
            for _ in range(turn.rotations):
                pair.now += ROTATION
                stranger = wire.encode(flight.message._replace(spi_i=b"stranger"))
                pair.ends[B].receive(stranger, Path(ADDRESS[B], ("198.51.100.1", 500)), pair.now)
            pair.ends[B].settings = Settings(cookie_threshold=0 if turn.demanded else 50)
            pair.deliver(flight)
            answer = pair.flying[0].message
            assert answer is not None
            heard.append(outcome_of(Kind.IKE_SA_INIT, answer))
            if heard[-1] is Outcome.OK:
                break
            assert answer.spi_r == NO_SPI
            assert not pair.sessions(B)
            pair.deliver(pair.flying[0])
    return pair, requests, heard


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.builds(Round, st.integers(0, 2), st.booleans()), min_size=6, max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_s2_6_1_cookie_and_invalid_ke_payload_end_in_stated_rounds(
    rounds: list[Round], keeps: bool, hashing: bool
) -> None:
    """Three requests, four where the cookie does not fit the new KEi, and one for each cookie that grew too old."""
    pair, requests, heard = answers(rounds, keeps, hashing)
    assert heard == expected(rounds, keeps, hashing)
    too_old = sum(turn.rotations == 2 for turn in rounds)
    if heard[-1] is Outcome.OK:
        assert len(heard) <= 3 + (hashing or not keeps) + too_old
        pair.deliver_all()
        assert len(pair.children(A)) == len(pair.children(B)) == 1
    for before, after, answer in zip(requests, requests[1:], heard):
        rest = [payload for payload in after.payloads if not is_cookie(payload)]
        if answer is Outcome.COOKIE:
            assert is_cookie(after.payloads[0])  # 7296-2.6-12
            assert rest == [payload for payload in before.payloads if not is_cookie(payload)]  # 7296-2.6-13
        else:
            assert is_cookie(after.payloads[0]) is (keeps and is_cookie(before.payloads[0]))  # 7296-2.6.1-03
            assert [(type(p), p) for p in rest if type(p) is not KE] == [
                (type(p), p) for p in before.payloads if type(p) is not KE and not is_cookie(p)
            ]  # 7296-1.2-22
        assert sum(map(is_cookie, after.payloads)) <= 1
        assert (after.spi_i, after.spi_r, after.message_id) == (before.spi_i, NO_SPI, 0)  # 7296-2.6-14


def is_cookie(payload: wire.Payload) -> bool:
    return type(payload) is N and payload.type == NotifyType.COOKIE


def test_s2_6_1_the_rounds_that_are_stated() -> None:
    asked = [Round(0, True)] * 6
    assert len(answers(asked, True, False)[2]) == 3
    assert len(answers(asked, True, True)[2]) == len(answers(asked, False, False)[2]) == 4
    assert len(answers([Round(0, True), Round(2, True), *asked[:4]], True, False)[2]) == 4


# Forged answers


FORGED = st.one_of(
    st.builds(
        lambda g: N(NotifyType.INVALID_KE_PAYLOAD, g.to_bytes(2, "big")), st.sampled_from((RIGHT, WRONG, 14, 99))
    ),
    st.builds(lambda data: N(NotifyType.COOKIE, data), st.binary(min_size=1, max_size=64)),
    st.builds(lambda kind: N(kind), st.sampled_from((7, 14, 24, 5, 9999))),
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(FORGED, st.integers(0, 1)), max_size=3))
def test_s1_2_forged_answers_change_neither_offer_nor_suite(forged: list[tuple[N, int]]) -> None:
    """Two ends reach the suite of an undisturbed run, or, with too much forged, none at all; never another one."""
    pair = Pair(connections=CONNECTIONS)
    pair.initiate(A)
    first = pair.flying[0]
    assert first.message is not None
    for notify, wait in forged:
        answer = Message(first.message.spi_i, NO_SPI, ExchangeType.IKE_SA_INIT, 0x20, 0, (notify,))
        pair.ends[A].receive(wire.encode(answer), Path(ADDRESS[A], ADDRESS[B]), pair.now)
        number = next(iter(pair.ends[A].sessions))
        exchange = pair.ends[A].sessions[number].ikes[0].handshake
        assert exchange is not None
        sent = wire.decode(exchange.init_request)
        assert [p for p in sent.payloads if type(p) in (SA, Nonce)] == [
            p for p in first.message.payloads if type(p) in (SA, Nonce)
        ]
        assert sent.spi_i == first.message.spi_i
        for _ in range(wait):
            pair.advance()
    pair.settle()
    for end in ENDS:
        for ike in pair.ikes(end):
            assert ike.suite is not None
            assert ike.suite.group == RIGHT
    if not any(notify.type == NotifyType.INVALID_KE_PAYLOAD for notify, _ in forged):
        assert pair.ikes(A)


def test_s1_2_an_answer_with_ke_of_another_group_is_ignored() -> None:
    """7296-2.21.1-02: waiting goes on, and the true answer is taken."""
    pair = Pair(connections={end: connection(end) for end in ENDS})
    pair.initiate(A)
    pair.deliver(pair.flying[0])
    (true,) = pair.flying
    assert true.message is not None
    payloads = tuple(p._replace(group=RIGHT) if type(p) is KE else p for p in true.message.payloads)
    forged = wire.encode(true.message._replace(payloads=payloads))
    pair.ends[A].receive(forged, Path(ADDRESS[A], ADDRESS[B]), pair.now)
    assert pair.ikes(A)[0].phase.name == "INIT_SENT"
    pair.deliver_all()
    assert len(pair.children(A)) == len(pair.children(B)) == 1


class Demanding(Endpoint):
    """An endpoint that believes no cookie."""

    def _cookie_is_valid(self, request: Message, path: Path, now: float) -> bool:
        return super()._cookie_is_valid(request, path, now) and False


def test_s2_6_cookie_rounds_are_bounded() -> None:
    """7296-2.6-22."""
    pair = Pair(settings=Settings(cookie_threshold=0))
    old = pair.ends[B].environment
    pair.ends[B] = Demanding((pair.connections[B],), old.crypto, old.random, Settings(cookie_threshold=0))
    pair.initiate(A)
    for _ in range(200):
        if not pair.flying:
            break
        pair.deliver(pair.flying[0])
    assert not pair.flying
    pair.settle()
    assert not pair.ikes(A)
    assert len({flight.datagram for flight in pair.past if flight.to == B}) <= Settings().initial_rounds


# What AUTH covers


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(("request", "response")), st.integers(0, 1023), st.integers(1, 255), st.booleans())
def test_s2_15_altering_any_octet_of_ike_sa_init_fails(which: str, where: int, how: int, cookie: bool) -> None:
    """Somebody on the path changes an octet of every IKE_SA_INIT request, or response, in the same way."""
    pair = Pair(
        crypto=RealCrypto,
        settings=Settings(cookie_threshold=0 if cookie else 50),
        connections={end: connection(end, ike="aes256gcm16-prfsha256-x25519") for end in ENDS},
    )
    pair.initiate(A)
    while pair.flying:
        flight = pair.flying[0]
        to = B if which == "request" else A
        if flight.to == to and wire.peek(flight.datagram).exchange_type == ExchangeType.IKE_SA_INIT:
            octets = bytearray(flight.datagram)
            octets[where % len(octets)] ^= how
            pair.lose(flight)
            flight = flight._replace(datagram=bytes(octets))
            pair.flying.insert(0, flight)
        pair.deliver(flight)
    assert not any(ike.phase.name == "ESTABLISHED" for end in ENDS for ike in pair.ikes(end))
    assert not pair.children(A) + pair.children(B)


def test_s2_15_without_an_alteration_the_same_ends_establish_an_ike_sa() -> None:
    pair = Pair(crypto=RealCrypto).establish()
    assert all(ike.phase.name == "ESTABLISHED" for end in ENDS for ike in pair.ikes(end))
