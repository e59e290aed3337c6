"""IKE_AUTH with EAP between two ends (Section 2.16, RFC 5998)."""

from dataclasses import replace

import pytest
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa
from ikeref.crypto.real import RealCrypto
from ikeref.eap import mschap
from ikeref.errors import LocalProtocolError
from ikeref.policy import identities
from ikeref.policy.connections import Settings
from ikeref.registry import AuthMethod, EapCode, ExchangeType, NotifyType
from ikeref.sa import rounds as rounds_of_ike
from ikeref.sa.conversation import AsInitiator, AsResponder
from ikeref.wire import AUTH, EAP, SA, Message, N
from tests.unit.eap import scene
from tests.unit.eap.scene import (
    MD5,
    METHODS,
    MSCHAPV2,
    TLS,
    audits,
    forge,
    is_up,
    kinds,
    pair,
    peer,
    reasons,
    rounds,
    run,
    said,
    server,
    until,
)


def end_of(ends: Pair, end: str) -> tuple[str, ...]:
    """What is left of a failed IKE SA."""
    return tuple(ike.phase.name for ike in ends.ikes(end))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("certified", [False, True])
def test_s2_16_each_method_brings_the_ike_sa_up(method: int, certified: bool) -> None:
    """7296-2.16-01 where `certified`, 7296-2.16-02, 7296-2.16-03, 7296-2.16-05, 7296-2.16-06, 7296-2.16-07,
    7296-2.16-15, 7296-2.16-18."""
    ends = run(peer(method), server(method), certified=certified)
    assert is_up(ends)
    messages = rounds(ends)
    assert kinds(messages[0]) == ["IDi", *(["CERTREQ"] if certified else []), "IDr", "SA", "TSi", "TSr"]
    assert kinds(messages[1]) == ["IDr", *(["CERT"] if certified else []), "AUTH", "EAP"]
    (proof,) = (each for each in messages[1].payloads if type(each) is AUTH)
    assert proof.method == (AuthMethod.DIGITAL_SIGNATURE if certified else AuthMethod.SHARED_KEY)
    assert {tuple(kinds(each)) for each in messages[2:-2]} == {("EAP",)}
    assert said(messages[-3]) == (EapCode.SUCCESS, said(messages[-4]).identifier, 0, b"")  # type: ignore[union-attr]
    assert kinds(messages[-2]) == ["AUTH"]
    assert kinds(messages[-1]) == ["AUTH", "SA", "TSi", "TSr"]


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_message_ids_rise_by_one(method: int) -> None:
    """7296-2.16-08, and what follows IKE_AUTH goes on from there."""
    ends = run(peer(method), server(method))
    numbers = [each.message_id for each in rounds(ends)]
    assert numbers == [number for number in range(1, len(numbers) // 2 + 1) for _ in "qr"]
    ends.command(A, sa.CheckLiveness())
    (flight,) = ends.flying
    assert flight.message is not None
    assert flight.message.message_id == numbers[-1] + 1
    ends.settle()
    assert is_up(ends)


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_the_last_auth_is_by_the_msk_or_else_by_sk_p(method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-2.16-09, 7296-2.16-10, 7296-2.16-13; and MD5-Challenge, which makes no key, only where policy says so
    (7296-2.16-12)."""
    secrets = {}
    right = rounds_of_ike._secret

    def spy(ike: sa.IkeSa, done: object, *, initiator: bool) -> bytes:
        found = right(ike, done, initiator=initiator)  # type: ignore[arg-type]
        secrets[initiator] = (found, ike.keys)
        return found

    monkeypatch.setattr(rounds_of_ike, "_secret", spy)
    ends = run(peer(method), server(method))
    assert is_up(ends)
    for initiator, (secret, keys) in secrets.items():
        assert keys is not None
        if method == MD5:
            assert secret == (keys.sk_pi if initiator else keys.sk_pr)
        else:
            assert len(secret) == 64
            assert secret not in keys
    proofs = [each for message in rounds(ends)[-2:] for each in message.payloads if type(each) is AUTH]
    assert [each.method for each in proofs] == [AuthMethod.SHARED_KEY] * 2


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_what_eap_made_is_forgotten_with_the_handshake(method: int) -> None:
    """7296-2.16-11."""
    ends = run(peer(method), server(method))
    for end in (A, B):
        assert ends.ikes(end)[0].handshake is None


def test_s2_16_the_key_that_eap_made_is_for_auth_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-2.16-11: with another MSK at both ends AUTH is another, and all the keys are the same."""
    found = []
    for _ in range(2):
        ends = run(peer(MSCHAPV2), server(MSCHAPV2))
        assert is_up(ends)
        outputs = [each for record in ends.records for each in record.outputs]
        made = [each.keys for each in outputs if type(each) is sa.NewKeys]
        installed = [each.child.keys for each in outputs if type(each) is sa.Install]
        assert made
        assert len(installed) == 4
        found.append((tuple(made), tuple(installed), rounds(ends)[-2].payloads))
        monkeypatch.setattr(mschap, "msk", lambda *_: b"another!" * 8)
    assert found[0][:2] == found[1][:2]
    assert found[0][2] != found[1][2]


@pytest.mark.parametrize("method", [MD5, MSCHAPV2])
def test_s2_16_a_wrong_password_ends_the_ike_sa(method: int) -> None:
    """7296-2.16-16, 7296-2.21-06: EAP Failure, and no AUTHENTICATION_FAILED."""
    ends = run(peer(method, password=b"wrong"), server(method))
    assert not is_up(ends)
    last = rounds(ends)[-1]
    assert said(last).code == EapCode.FAILURE  # type: ignore[union-attr]
    assert kinds(last) == ["EAP"]
    assert end_of(ends, A) == end_of(ends, B) == ()
    assert "the password of 'carol' is wrong" in reasons(ends, B)[0]
    assert "carol" not in reasons(ends, A)[0], "who fails is not told why"
    assert reasons(ends, A)[0].startswith("EAP failed")


def test_s2_16_who_has_peers_prove_themselves_by_eap_only_responds() -> None:
    ends = pair(peer(MD5), server(MD5))
    with pytest.raises(LocalProtocolError, match="can only respond"):
        ends.initiate(B)


def test_s2_16_the_other_method_is_found_by_nak() -> None:
    ends = run(peer(MD5), server(MSCHAPV2, MD5))
    assert is_up(ends)


def test_s2_16_no_common_method_fails() -> None:
    ends = run(peer(MD5), server(MSCHAPV2))
    assert "no EAP method suits both" in reasons(ends, B)[0]
    assert "no EAP method suits both" in reasons(ends, A)[0]


def test_s2_16_who_the_initiator_is_is_said_by_eap_not_by_idi() -> None:
    """7296-2.16-19: IDi is a.example."""
    ends = run(peer(MSCHAPV2, password=b"another", identity=b"dave"), server(MSCHAPV2))
    (session,) = ends.sessions(B)
    assert session.peer == identities.parse("dave")


def test_s2_16_auth_where_eap_is_expected_is_refused() -> None:
    ends = Pair(connections={A: connection(A), B: replace(connection(B), remote_auth=server(MD5))})
    ends.initiate(A)
    ends.deliver_all()
    assert "is to prove itself by EAP" in audits(ends, B)
    assert end_of(ends, A) == end_of(ends, B) == ()


def test_s2_16_eap_where_auth_is_expected_is_refused() -> None:
    """7296-2.16-04."""
    ends = Pair(connections={A: replace(connection(A), local_auth=peer(MD5)), B: connection(B)})
    ends.initiate(A)
    ends.deliver_all()
    assert "sent no AUTH, and no connection for it is by EAP" in audits(ends, B)
    (refusal,) = rounds(ends)[1].payloads
    assert type(refusal) is N
    assert refusal.type == NotifyType.AUTHENTICATION_FAILED
    assert end_of(ends, A) == end_of(ends, B) == ()


@pytest.mark.parametrize("method", METHODS)
def test_s2_1_lost_rounds_are_repeated(method: int) -> None:
    """Each message is lost once, and comes twice: the rounds are the same."""
    ends = pair(peer(method), server(method))
    seen: set[tuple[str, int]] = set()
    for _ in range(400):
        if not ends.flying:
            if is_up(ends):
                break
            ends.advance()
            continue
        flight = ends.flying[0]
        assert flight.message is not None
        which = (flight.to, flight.message.message_id)
        if which not in seen:
            seen.add(which)
            ends.lose(flight)
        else:
            ends.deliver(flight, keep=True)
            ends.deliver(flight)
    assert is_up(ends)
    ends.settle()
    assert is_up(ends)


@pytest.mark.parametrize("method", METHODS)
def test_s2_3_replayed_rounds_change_nothing(method: int) -> None:
    """After each delivery all that was ever sent arrives again; the window is 1 throughout."""
    ends = pair(peer(method), server(method))
    while ends.flying:
        ends.deliver(ends.flying[0])
        known = list(ends.flying)
        for flight in list(ends.past):
            if flight not in known:
                ends.deliver(flight, keep=True)
        ends.flying[:] = [each for each in ends.flying if not each.again]
    assert is_up(ends)
    numbers = [each.message_id for each in rounds(ends)]
    assert numbers == sorted(numbers)


def test_s2_3_windows_are_1_until_all_is_authenticated() -> None:
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2), settings=Settings(window_size=4))
    while not is_up(ends):
        for end in (A, B):
            for ike in ends.ikes(end):
                at_last = isinstance(ike.handshake and ike.handshake.eap, AsInitiator) and ike.handshake.eap.done  # type: ignore[union-attr]
                assert at_last or ike.window == 1 or ike.phase is sa.Phase.ESTABLISHED
                assert ike.peer_window == 1 or ike.phase is sa.Phase.ESTABLISHED
        ends.deliver(ends.flying[0])
    assert {(ike.window, ike.peer_window) for end in (A, B) for ike in ends.ikes(end)} == {(4, 4)}


def test_s2_4_initial_contact_is_heeded_at_the_end_and_for_the_user() -> None:
    """It stands in the first of all the requests, and in no other (7296-2.4-06)."""
    own, theirs = peer(MSCHAPV2), server(MSCHAPV2)
    made = scene.connections(own, theirs)
    made[A] = replace(made[A], initial_contact=True)
    ends = Pair(5, connections=made)
    ends.initiate(A)
    ends.deliver_all()
    notified = [[each.type for each in message.payloads if type(each) is N] for message in rounds(ends)]
    places = [place for place, types in enumerate(notified) if NotifyType.INITIAL_CONTACT in types]
    assert places == [0]
    said_by = [
        (output, record.event.message)  # type: ignore[union-attr]
        for record in ends.records
        for output in record.outputs
        if type(output) is sa.InitialContact
    ]
    ((contact, message),) = said_by
    assert contact.peer == identities.parse("carol")
    assert message == rounds(ends)[-2]


# Failures amid the rounds


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [3, 4])
@pytest.mark.parametrize(
    "octets",
    [bytes((2, 0, 0, 5, 3)), bytes((3, 0, 0, 4)), bytes((7, 0, 0, 4)), bytes((1, 9, 0, 6, 4, 200)), b"\1\2\0\5\xfe"],
)
def test_s2_16_eap_that_does_not_fit_ends_the_ike_sa(method: int, number: int, octets: bytes) -> None:
    if said(rounds(run(peer(method), server(method)))[number - 1]).code != EapCode.SUCCESS:  # type: ignore[union-attr]
        ends = pair(peer(method), server(method))
        flight = until(ends, number)
        forge(ends, (EAP(octets),))
        ends.settle()
        assert end_of(ends, flight.to) == ()
        assert ends.children(A) == ends.children(B) == ()
        assert reasons(ends, flight.to)
        assert end_of(ends, A) == end_of(ends, B) == (), "the other end comes to know"


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_success_before_the_end_of_the_method_is_none(method: int) -> None:
    ends = pair(peer(method), server(method))
    until(ends, 2)
    message = ends.flying[0].message
    assert message is not None
    others = tuple(each for each in message.payloads if type(each) is not EAP)
    forge(ends, (*others, EAP(bytes((3, 1, 0, 4)))))
    ends.deliver(ends.flying[0])
    assert end_of(ends, A) == ()
    if method != MD5:
        ends = pair(peer(method), server(method))
        until(ends, 4)
        forge(ends, (EAP(bytes((3, 1, 0, 4))),))
        ends.deliver(ends.flying[0])
        assert end_of(ends, A) == ()
        assert "before" in reasons(ends, A)[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [-2, -1])
def test_s2_16_a_wrong_last_auth_is_refused(method: int, place: int) -> None:
    count = len(rounds(run(peer(method), server(method))))
    ends = pair(peer(method), server(method))
    flight = until(ends, count + 1 + place)
    assert flight.message is not None
    wrong = tuple(AUTH(p.method, bytes(len(p.data))) if type(p) is AUTH else p for p in flight.message.payloads)
    forge(ends, wrong)
    ends.deliver(ends.flying[0])
    assert ends.children(flight.to) == ()
    assert "the shared-key AUTH is wrong" in audits(ends, flight.to)
    assert not any(
        type(output) is sa.Established for each in ends.records if each.end == flight.to for output in each.outputs
    )
    ends.settle()
    assert end_of(ends, A) == ()


def test_s2_21_2_the_report_after_the_last_round_ends_the_ike_sa() -> None:
    """The responder has come up; the initiator finds its AUTH wrong and says so with the next message ID."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    flight = until(ends, 8)
    assert flight.message is not None
    forge(ends, tuple(each for each in flight.message.payloads if type(each) is not AUTH))
    assert end_of(ends, B) == ("ESTABLISHED",)
    ends.settle()
    assert end_of(ends, A) == end_of(ends, B) == ()
    assert "the initiator says" in reasons(ends, B)[0]


def test_s2_21_2_a_like_report_later_does_not() -> None:
    ends = run(peer(MSCHAPV2), server(MSCHAPV2))
    ends.command(A, sa.CheckLiveness())
    ends.deliver_all()
    ends.command(A, sa.CheckLiveness())
    forge(ends, (N(NotifyType.AUTHENTICATION_FAILED),))
    ends.deliver_all()
    assert is_up(ends)


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_auth_before_success_is_refused(method: int) -> None:
    """7296-2.16-18."""
    ends = pair(peer(method), server(method))
    until(ends, 3)
    forge(ends, (AUTH(AuthMethod.SHARED_KEY, bytes(32)),))
    ends.deliver_all()
    assert end_of(ends, B) == ()
    assert "AUTH comes before EAP Success" in reasons(ends, B)[0]
    assert end_of(ends, A) == ()


def test_s2_16_eap_after_success_is_refused() -> None:
    ends = pair(peer(MD5), server(MD5))
    until(ends, 5)
    forge(ends, (EAP(bytes((2, 1, 0, 5, 1))),))
    ends.deliver_all()
    assert end_of(ends, A) == end_of(ends, B) == ()


def test_s2_16_the_child_sa_comes_only_at_the_end() -> None:
    """7296-2.16-02, 7296-2.16-05."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    while len(rounds(ends)) < 8:
        assert ends.children(A) == ends.children(B) == ()
        assert ends.ends[B].half_open == (1 if rounds(ends) else ends.ends[B].half_open)
        ends.deliver(ends.flying[0])
    assert ends.ends[B].half_open == 0
    assert not any(type(each) is SA for message in rounds(ends)[1:-1] for each in message.payloads)


# Bounds


def test_s2_16_ten_rounds_and_more_are_possible_and_their_number_is_bounded() -> None:
    """7296-2.16-14, 7296-2.16-17."""
    assert Settings().eap_rounds >= 10
    enough = len(rounds(run(peer(TLS), server(TLS)))) // 2
    assert is_up(run(peer(TLS), server(TLS), settings=Settings(eap_rounds=enough)))
    for few in (3, enough - 3):
        ends = run(peer(TLS), server(TLS), settings=Settings(eap_rounds=few))
        assert end_of(ends, A) == ()
        ends.settle()
        assert end_of(ends, B) == ()


@pytest.mark.parametrize("number", range(2, 8))
def test_s2_4_a_peer_that_stops_amid_the_rounds_costs_nothing(number: int) -> None:
    """However far it came, the responder forgets it when half-open IKE SAs expire, counted from IKE_SA_INIT."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    until(ends, number)
    ends.flying.clear()
    settings = Settings()
    while ends.ends[B].half_open:
        ends.flying.clear()
        assert ends.now <= settings.half_open_seconds
        ends.advance()
    assert ends.sessions(B) == ()
    assert "did not come to the end of EAP in time" in reasons(ends, B)[0]


def test_s1_only_ike_auth_is_taken_amid_the_rounds() -> None:
    """7296-1-02."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    flight = until(ends, 3)
    assert flight.message is not None
    ends.flying[0] = flight._replace(message=flight.message._replace(exchange_type=ExchangeType.INFORMATIONAL))
    forge(ends, ())
    ends.deliver(ends.flying[0])
    assert "only IKE_AUTH may follow" in audits(ends, B)
    (ike,) = ends.ikes(B)
    assert ike.handshake is not None
    assert isinstance(ike.handshake.eap, AsResponder)


@pytest.mark.parametrize("number", [2, 4, 6])
def test_s2_21_2_a_report_amid_the_rounds_ends_them(number: int) -> None:
    """7296-2.21.2-04, 7296-2.21.2-12: of the responder's AUTH, and of EAP."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    flight = until(ends, number)
    assert flight.message is not None
    others = tuple(each for each in flight.message.payloads if type(each) not in (AUTH, EAP))
    forge(ends, (*others, EAP(bytes((1, 9, 0, 6, TLS, 32)))))
    ends.deliver_all()
    assert end_of(ends, A) == end_of(ends, B) == ()
    assert "the initiator says" in reasons(ends, B)[0]
    assert ends.now == 0.0


def test_real_cryptography_does_too() -> None:
    ends = run(peer(TLS), server(TLS), certified=True, crypto=RealCrypto)
    assert is_up(ends)


# EAP alone (RFC 5998)


def test_rfc5998_3_both_ends_by_eap_alone() -> None:
    ends = run(peer(TLS, only=True), server(TLS, only=True), alone=True)
    assert is_up(ends)
    assert any(type(each) is N and each.type == NotifyType.EAP_ONLY_AUTHENTICATION for each in rounds(ends)[0].payloads)
    assert kinds(rounds(ends)[1]) == ["IDr", "EAP"]


def test_rfc5998_3_a_responder_that_does_not_want_to_proves_itself() -> None:
    ends = run(peer(TLS, only=True), server(TLS))
    assert is_up(ends)
    assert kinds(rounds(ends)[1]) == ["IDr", "AUTH", "EAP"]


def test_rfc5998_3_an_initiator_that_did_not_ask_wants_proof() -> None:
    ends = run(peer(TLS), server(TLS, only=True), alone=True)
    assert "nothing but EAP to prove ourselves with" in audits(ends, B)
    assert end_of(ends, A) == ()


def test_rfc5998_3_proof_that_is_not_wanted_ends_it() -> None:
    made = scene.connections(peer(TLS, only=True), server(TLS), alone=True)
    made[B] = replace(made[B], local_auth=connection(B).local_auth)
    ends = Pair(5, connections=made)
    ends.initiate(A)
    ends.deliver_all()
    assert "by EAP alone" in audits(ends, A)
    ends.settle()
    assert end_of(ends, A) == end_of(ends, B) == ()


def test_rfc5998_3_the_initiator_refuses_a_method_that_may_not_stand_alone() -> None:
    ends = pair(peer(MSCHAPV2, TLS, only=True), server(TLS, only=True), alone=True)
    flight = until(ends, 2)
    assert flight.message is not None
    offer = bytes((1, 3, 0, 10, MSCHAPV2, 1, 3, 0, 5, 16))
    forge(ends, (*flight.message.payloads[:1], EAP(offer)))
    ends.deliver(ends.flying[0])
    assert "may not stand alone" in audits(ends, A)


@pytest.mark.parametrize("other", [MD5, MSCHAPV2])
def test_rfc5998_3_the_responder_offers_safe_methods_alone(other: int) -> None:
    """7296-2.16-12: MD5-Challenge, which makes no key, is none of them."""
    ends = run(peer(other, TLS, only=True), server(other, TLS, only=True), alone=True)
    assert is_up(ends)
    assert said(rounds(ends)[1]).type == TLS  # type: ignore[union-attr]


def test_a_message_is_shown_without_what_eap_made() -> None:
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    until(ends, 7)
    for end in (A, B):
        assert "Ar3etTnp" not in repr(ends.sessions(end))
        assert "msk=Secret(64 octets)" in repr(ends.sessions(end))


def test_s2_21_2_the_parts_of_a_message_are_each_there_once() -> None:
    ends = pair(peer(MD5), server(MD5))
    message: Message | None = until(ends, 2).message
    assert message is not None
    forge(ends, (*message.payloads, message.payloads[-1]))
    ends.deliver(ends.flying[0])
    assert "more than one EAP" in audits(ends, A)
