"""What an endpoint does outside of any IKE SA, and for all of them: dispatch, half-open IKE SAs, cookies, time."""

import os
from dataclasses import replace

import pytest
from ikeref_properties.network import ADDRESS, A, B, Flight, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import envelope
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import Audit, Closed, Failed, Output, Path, Phase, Replayed, Transmit
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, NO_SPI, SA, Message, N
from ikeref.wire.encapsulation import KEEPALIVE, NON_ESP_MARKER

TO_B = Path(ADDRESS[B], ADDRESS[A])
"""As B sees what A sends."""


def sent(outputs: tuple[Output, ...]) -> list[Transmit]:
    return [output for output in outputs if isinstance(output, Transmit)]


def answer(outputs: tuple[Output, ...]) -> Message:
    (out,) = sent(outputs)
    assert out.message is not None
    return out.message


def first_request(pair: Pair) -> bytes:
    """The IKE_SA_INIT request of a new IKE SA from A; it is taken out of the network."""
    pair.initiate(A)
    flight = pair.flying.pop()
    return flight.datagram


def with_spi(datagram: bytes, number: int) -> bytes:
    return number.to_bytes(8, "big") + datagram[8:]


def with_cookie(datagram: bytes, cookie: bytes) -> bytes:
    message = wire.decode(datagram)
    return wire.encode(message._replace(payloads=(N(NotifyType.COOKIE, cookie), *message.payloads)))


# Half-open IKE SAs (Sections 2.1, 2.4, 2.6)


def test_s2_1_a_request_that_comes_again_gets_the_same_response_and_no_second_ike_sa() -> None:
    pair = Pair()
    request = first_request(pair)
    first = pair.ends[B].receive(request, TO_B, 0.0)
    second = pair.ends[B].receive(request, TO_B, 1.0)
    assert sent(first)[0].datagram == sent(second)[0].datagram
    assert any(isinstance(output, Replayed) for output in second)
    assert len(pair.ends[B].sessions) == pair.ends[B].half_open == 1


def test_s2_1_the_same_spi_from_another_address_or_with_other_octets_is_another_ike_sa() -> None:
    pair = Pair()
    request = first_request(pair)
    endpoint = pair.ends[B]
    endpoint.receive(request, TO_B, 0.0)
    endpoint.receive(request, TO_B._replace(remote=("192.0.2.99", 500)), 0.0)
    endpoint.receive(request[:-1] + bytes((request[-1] ^ 1,)), TO_B, 0.0)
    assert endpoint.half_open == 3


def test_s2_1_a_retransmission_after_ike_auth_is_not_answered_and_makes_no_ike_sa() -> None:
    pair = Pair().establish()
    request = next(flight for flight in pair.past if flight.to == B)
    outputs = pair.ends[B].receive(request.datagram, TO_B, 1.0)
    assert not sent(outputs)
    assert len(pair.ends[B].sessions) == 1
    assert pair.ends[B].half_open == 0


def test_s2_4_a_half_open_ike_sa_expires_and_leaves_nothing() -> None:
    pair = Pair(settings=Settings(half_open_seconds=30))
    endpoint = pair.ends[B]
    endpoint.receive(first_request(pair), TO_B, 0.0)
    assert endpoint.next_deadline() == 30
    assert endpoint.timer(29.9) == ()
    assert any(isinstance(output, Closed) for output in endpoint.timer(30.0))
    assert endpoint.sessions == {}
    assert endpoint.half_open == 0
    assert endpoint.next_deadline() is None


def test_s2_6_beyond_the_limit_requests_are_dropped() -> None:
    pair = Pair(settings=Settings(half_open_limit=3, cookie_threshold=100))
    endpoint, request = pair.ends[B], first_request(pair)
    answered = [bool(sent(endpoint.receive(with_spi(request, number), TO_B, 0.0))) for number in range(1, 6)]
    assert answered == [True, True, True, False, False]
    endpoint.timer(100.0)
    assert sent(endpoint.receive(with_spi(request, 9), TO_B, 100.0))


# Cookies (Section 2.6)


def cookie_of(endpoint: Endpoint, request: bytes, now: float = 0.0, path: Path = TO_B) -> bytes:
    (notify,) = answer(endpoint.receive(request, path, now)).payloads
    assert isinstance(notify, N)
    assert notify.type == NotifyType.COOKIE
    return notify.data


def test_s2_6_under_load_a_cookie_is_asked_for_and_no_state_kept() -> None:
    pair = Pair(settings=Settings(cookie_threshold=0))
    endpoint, request = pair.ends[B], first_request(pair)
    outputs = endpoint.receive(request, TO_B, 0.0)
    message = answer(outputs)
    assert message.spi_r == NO_SPI
    assert message.message_id == 0
    assert message.flags == FLAG_RESPONSE
    assert endpoint.sessions == {}
    assert 1 <= len(cookie_of(endpoint, request)) <= 64


def test_s2_6_a_cookie_costs_no_key_exchange() -> None:
    """7296-2.6-09: nothing is asked of what does the cryptography of an IKE SA."""
    pair = Pair(settings=Settings(cookie_threshold=0))
    endpoint, request = pair.ends[B], first_request(pair)
    endpoint.environment = endpoint.environment._replace(crypto=None)  # type: ignore[arg-type]  # any use of it fails
    cookie = cookie_of(endpoint, request)
    assert cookie_of(endpoint, with_cookie(request, bytes(20))) == cookie


def test_s2_6_a_cookie_is_asked_for_while_many_ike_sas_are_half_open() -> None:
    """7296-2.6-10: with fewer of them none is."""
    pair = Pair(settings=Settings(cookie_threshold=3))
    endpoint, request = pair.ends[B], first_request(pair)
    first = [answer(endpoint.receive(with_spi(request, number), TO_B, 0.0)).payloads[0] for number in range(1, 6)]
    asked = [isinstance(payload, N) and payload.type == NotifyType.COOKIE for payload in first]
    assert asked == [False, False, False, True, True]
    endpoint.timer(100.0)
    assert isinstance(answer(endpoint.receive(with_spi(request, 6), TO_B, 100.0)).payloads[0], SA)


def test_s2_6_the_request_with_its_cookie_is_answered() -> None:
    pair = Pair(settings=Settings(cookie_threshold=0))
    endpoint, request = pair.ends[B], first_request(pair)
    again = with_cookie(request, cookie_of(endpoint, request))
    assert any(isinstance(payload, SA) for payload in answer(endpoint.receive(again, TO_B, 0.0)).payloads)


def test_s2_6_a_cookie_is_of_one_nonce_one_address_one_spi() -> None:
    pair = Pair(settings=Settings(cookie_threshold=0))
    endpoint, request = pair.ends[B], first_request(pair)
    cookie = cookie_of(endpoint, request)
    again = with_cookie(request, cookie)
    elsewhere = TO_B._replace(remote=("192.0.2.99", 500))
    nonce = next(p.data for p in wire.decode(request).payloads if isinstance(p, wire.Nonce))
    assert cookie_of(endpoint, with_spi(again, 7)) != cookie
    assert cookie_of(endpoint, again, path=elsewhere) != cookie
    assert cookie_of(endpoint, again.replace(nonce, bytes(len(nonce)))) != cookie
    assert cookie_of(endpoint, with_cookie(request, bytes(20))) == cookie
    assert endpoint.sessions == {}


def test_s2_6_a_cookie_outlives_one_change_of_the_secret_and_not_two() -> None:
    pair = Pair(settings=Settings(cookie_threshold=0, cookie_secret_seconds=100))
    endpoint, request = pair.ends[B], first_request(pair)
    again = with_cookie(request, cookie_of(endpoint, request))
    cookie_of(endpoint, with_spi(request, 7), 150.0)
    assert sent(endpoint.receive(again, TO_B, 199.0))[0].message is not None
    assert endpoint.half_open == 1
    other = with_cookie(with_spi(request, 8), cookie_of(endpoint, with_spi(request, 8), 199.0))
    cookie_of(endpoint, with_spi(request, 7), 251.0)
    cookie_of(endpoint, with_spi(request, 7), 352.0)
    cookie_of(endpoint, other, 352.0)


# Answers outside of any IKE SA (Sections 1.5, 2.5, 2.21.4)


def test_s3_1_an_spi_of_zero_is_drawn_anew() -> None:
    """7296-3.1-11: altered is what is drawn first."""
    for first, taken in ((b"8 octets", b"8 octets"), (bytes(8), b"9 octets")):
        pair = Pair()
        pair.forced[A][8] = [first, b"9 octets"]
        assert wire.decode(first_request(pair)).spi_i == taken


def test_s2_5_a_higher_major_version_is_answered_with_ours() -> None:
    pair = Pair()
    request = first_request(pair)
    for version in (0x30, 0x31, 0x40, 0x80, 0xF0):
        message = answer(pair.ends[B].receive(request[:17] + bytes((version,)) + request[18:], TO_B, 0.0))
        assert message.version == 0x20
        assert message.payloads == (N(NotifyType.INVALID_MAJOR_VERSION),)
        assert pair.ends[B].sessions == {}


def protected(flags: int = FLAG_INITIATOR, exchange_type: int = ExchangeType.INFORMATIONAL) -> bytes:
    return wire.encode(Message(b"\1" * 8, b"\2" * 8, exchange_type, flags, 5, (wire.SK(0, bytes(32)),)))


def test_s2_21_4_a_protected_request_to_nobody_may_get_invalid_ike_spi() -> None:
    for flags in (FLAG_INITIATOR, 0):
        message = answer(Pair().ends[B].receive(protected(flags), TO_B, 0.0))
        assert message.payloads == (N(NotifyType.INVALID_IKE_SPI),)
        assert (message.spi_i, message.spi_r, message.message_id) == (b"\1" * 8, b"\2" * 8, 5)
        assert message.flags == FLAG_RESPONSE | (FLAG_INITIATOR ^ flags)


def test_s2_1_an_answer_without_acknowledgement_goes_out_once_for_each_packet() -> None:
    """7296-2.1-15: again only if the packet comes again, and never by a timer."""
    endpoint = Pair().ends[B]
    for _ in range(3):
        assert len(sent(endpoint.receive(protected(), TO_B, 0.0))) == 1
        assert endpoint.next_deadline() is None
        assert not endpoint.timer(1e6)
    assert not endpoint.sessions


def test_s2_21_4_such_answers_are_limited_and_the_limit_recovers() -> None:
    pair = Pair(settings=Settings(unprotected_answers_per_second=10))
    endpoint = pair.ends[B]
    assert sum(bool(sent(endpoint.receive(protected(), TO_B, 0.0))) for _ in range(30)) == 10
    assert sum(bool(sent(endpoint.receive(protected(), TO_B, 0.5))) for _ in range(30)) == 5


@pytest.mark.parametrize(
    "datagram",
    [
        protected(FLAG_RESPONSE),
        protected(FLAG_RESPONSE | FLAG_INITIATOR),
        wire.encode(Message(b"\1" * 8, b"\2" * 8, ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 5, ())),
        wire.encode(Message(b"\1" * 8, NO_SPI, ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 0, (N(24),))),
        b"",
        bytes(27),
        bytes(28),
    ],
)
def test_s2_21_4_responses_and_what_is_not_protected_get_no_answer(datagram: bytes) -> None:
    endpoint = Pair().ends[B]
    outputs = endpoint.receive(datagram, TO_B, 0.0)
    assert not sent(outputs)
    assert all(isinstance(output, Audit) for output in outputs)


# Dispatch (Sections 2.6, 2.23)


def test_s2_6_a_message_finds_its_ike_sa_among_many() -> None:
    pair = Pair()
    for _ in range(20):
        pair.initiate(A)
    pair.deliver_all()
    assert len(pair.ends[A].sessions) == len(pair.ends[B].sessions) == 20
    spis = {ike.spi_r for ike in pair.ikes(B)}
    assert len(spis) == 20
    for number in pair.ends[A].sessions:
        pair.command(A, sa.CheckLiveness(), number)
    pair.deliver_all()
    assert {(ike.next_request, ike.outstanding) for ike in pair.ikes(A)} == {(3, ())}
    assert {ike.expected for ike in pair.ikes(B)} == {3}


def test_s3_1_the_initiator_flag_tells_whose_spi_names_the_ike_sa() -> None:
    pair = Pair().establish()
    pair.command(A, sa.CheckLiveness())
    datagram = pair.flying.pop().datagram
    endpoint = pair.ends[B]
    before = dict(endpoint.sessions)
    swapped = datagram[8:16] + datagram[:8] + datagram[16:]
    reflagged = datagram[:19] + bytes((datagram[19] ^ FLAG_INITIATOR,)) + datagram[20:]
    for forged in (swapped, reflagged):
        endpoint.receive(forged, TO_B, 1.0)
        assert endpoint.sessions == before
    assert sent(endpoint.receive(datagram, TO_B, 1.0))


def test_s2_23_on_port_4500_the_marker_comes_and_goes() -> None:
    pair = Pair()
    request = first_request(pair)
    path = TO_B._replace(encapsulated=True)
    endpoint = pair.ends[B]
    assert not endpoint.receive(request, path, 0.0)
    assert not endpoint.receive(KEEPALIVE, path, 0.0)
    assert not sent(endpoint.receive(b"\0\0", path, 0.0))
    (out,) = sent(endpoint.receive(NON_ESP_MARKER + request, path, 0.0))
    assert out.datagram[:4] == NON_ESP_MARKER
    assert wire.decode(out.datagram[4:]) == out.message


# Commands and time


def test_a_command_for_nobody_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="no session 7"):
        Pair().ends[A].command(7, sa.CheckLiveness(), 0.0)


def test_s2_1_retransmissions_wait_longer_each_time_and_end() -> None:
    settings = Settings(retransmit_initial_seconds=1, retransmit_base=2, retransmit_tries=3)
    pair = Pair(settings=settings)
    request = first_request(pair)
    endpoint = pair.ends[A]
    moments = []
    while (due := endpoint.next_deadline()) is not None:
        outputs = endpoint.timer(due)
        moments.append(due)
        assert [out.datagram for out in sent(outputs)] in ([request], [])
    assert moments == [1, 3, 7, 15]
    assert endpoint.sessions == {}


def test_s2_6_spis_are_unique_and_freed_at_the_end() -> None:
    pair = Pair()
    draws = iter([b"\1" * 8, b"\1" * 8, b"\0" * 8, b"\2" * 8])
    endpoint = pair.ends[A]
    random = endpoint.environment.random
    endpoint.environment = endpoint.environment._replace(random=lambda n: next(draws) if n == 8 else random(n))
    path = Path(ADDRESS[A], ADDRESS[B])
    for expected in (b"\1" * 8, b"\2" * 8):
        number, _ = endpoint.initiate(pair.connections[A], path, 0.0)
        assert endpoint.sessions[number].ikes[0].spi_i == expected


# What once went wrong


def test_an_ike_auth_response_with_two_sa_payloads_costs_the_child_sa_alone() -> None:
    pair = Pair()
    pair.initiate(A)
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    response = pair.flying.pop()
    pair.flying.append(doubled(pair, response))
    record = pair.deliver(pair.flying[0])
    assert any(isinstance(output, Failed) for output in record.outputs)
    assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED]
    assert pair.children(A) == ()
    pair.deliver_all()
    assert pair.children(B) == ()


def doubled(pair: Pair, flight: Flight) -> Flight:
    """B's message with every payload twice, sealed again."""
    (ike,) = pair.ikes(B)
    assert ike.suite is not None
    assert ike.keys is not None
    assert flight.message is not None
    kept = [payload for payload in flight.message.payloads if not isinstance(payload, SA)]
    offers = [payload for payload in flight.message.payloads if isinstance(payload, SA)]
    message = flight.message._replace(payloads=(*kept, *offers, *offers))
    crypto = pair.ends[B].environment.crypto
    octets = envelope.protect(crypto, ike.suite, ike.keys.sk_er, ike.keys.sk_ar, message, bytes(8))
    return flight._replace(datagram=octets)


def test_settings_without_linger_forget_a_closed_ike_sa_at_once() -> None:
    pair = Pair(settings=replace(Settings(), closed_linger_seconds=0)).establish()
    pair.command(A, sa.DeleteIke())
    pair.deliver_all()
    assert pair.sessions(A) == pair.sessions(B) == ()


@pytest.mark.parametrize("text", ["3des-sha256-modp2048", "aes128-sha256-modp1024", "aes256-sha256-x25519-modp1024"])
def test_s3_3_2_a_policy_that_cryptography_cannot_carry_out_is_refused_at_once(text: str) -> None:
    policy = connection("A", ike=text)
    with pytest.raises(LocalProtocolError, match="not wholly supported"):
        Endpoint((policy,), RealCrypto(), os.urandom)
    Endpoint((policy,), RealCrypto(legacy=True), os.urandom)


def test_s3_10_1_a_malformed_ike_sa_init_gets_no_answer() -> None:
    """7296-3.10.1-07: INVALID_SYNTAX is for those that have keys."""
    pair = Pair()
    message = wire.decode(first_request(pair))
    doubled = wire.encode(message._replace(payloads=(*message.payloads, message.payloads[0])))
    assert not sent(pair.ends[B].receive(doubled, TO_B, 0.0))
    assert sent(pair.ends[B].receive(wire.encode(message), TO_B, 0.0))
