"""Sections 2.21 and 2.25, rule by rule: what is wrong, who is told, and what comes of it."""

import itertools
from typing import Any

import pytest
from ikeref_properties.network import ENDS, PEER, A, B, Pair

from ikeref import sa, wire
from ikeref.policy import addresses, identities
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import NotifyType
from ikeref.sa import Phase
from ikeref.wire import FLAG_RESPONSE, NO_SPI, Message, N, Unknown
from tests.conformance.life import (
    AUTH,
    CREATE,
    ESP,
    INFO,
    INIT,
    after_init,
    altered,
    command,
    done,
    errors,
    established,
    kinds,
    messages,
    outputs,
    policies,
    raw,
    receive,
    replies,
)
from tests.properties.forging import request, respond

MALFORMED, CRITICAL = Unknown(41, b"\0"), Unknown(200, b"", 0x80)
FATAL = {NotifyType.INVALID_SYNTAX, NotifyType.AUTHENTICATION_FAILED, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD}


# Section 2.21


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("payload", [MALFORMED, CRITICAL, N(NotifyType.INVALID_SYNTAX)])
def test_s2_21_what_is_wrong_with_a_response_is_told_to_nobody(payload: wire.Payload, end: str) -> None:
    """The IKE SA ends, without a word."""
    pair = established()
    pair.command(end, sa.CheckLiveness())
    asked = pair.flying.pop().message
    assert asked is not None
    answered = respond(pair, end, INFO, (payload,), asked.message_id)
    assert not answered.messages
    assert sa.Closed in answered.kinds()
    assert not pair.ikes(end) + pair.children(end)


OTHERS = [kind for kind in NotifyType if kind < 16384 and kind not in FATAL]


@pytest.mark.parametrize("what", [sa.CreateChild("web"), sa.RekeyIke()])
@pytest.mark.parametrize("kind", [*OTHERS, 9999])
def test_s2_21_other_errors_leave_the_ike_sa(kind: int, what: sa.Command) -> None:
    """Of which some call for another attempt; none ends the IKE SA without a Delete."""
    pair = established()
    pair.command(A, what)
    asked = pair.flying.pop().message
    assert asked is not None
    answered = respond(pair, A, CREATE, (N(kind),), asked.message_id)
    assert sa.Failed in answered.kinds()
    assert not answered.kinds() & {sa.Closed, sa.Remove}
    assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED]


# Section 2.21.1


@pytest.mark.parametrize("kind", [14, 24, 43, 9999])
def test_s2_21_1_an_error_in_ike_sa_init_is_kept_in_mind_while_waiting_goes_on(kind: int) -> None:
    """It is not believed: a response that comes later counts. Else the attempt fails, and says it."""
    for comes in (True, False):
        pair = Pair(1)
        pair.initiate(A)
        asked = pair.flying.pop()
        assert asked.message is not None
        error = Message(asked.message.spi_i, NO_SPI, INIT, FLAG_RESPONSE, 0, (N(kind),))
        assert not replies(receive(pair, A, wire.encode(error)))
        assert len(pair.ikes(A)) == 1
        if comes:
            pair.deliver(asked, keep=True)
            pair.deliver_all()
            assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED]
            continue
        since = len(pair.records)
        for _ in range(20):
            if not pair.ikes(A):
                break
            pair.flying.clear()
            pair.advance()
        assert not pair.ikes(A)
        (closed,) = outputs(pair, sa.Closed, end=A, since=since)
        assert "unauthenticated" in closed.reason


# Section 2.21.2


def strangers(which: str, end: str) -> dict[str, Connection]:
    """One end has the wrong secret, or the wrong name."""
    changed: dict[str, dict[str, Any]] = {
        "secret": {"local_auth": Secret(b"another")},
        "name": {"local_id": identities.parse("c.example")},
    }
    return policies(only=end, **changed[which])


@pytest.mark.parametrize("which", ["secret", "name"])
def test_s2_21_2_who_fails_to_prove_itself_is_told_authentication_failed(which: str) -> None:
    """By the responder in its response, under the keys and with nothing beside it; there is no IKE SA."""
    pair = established(connections=strangers(which, A))
    _, answer = messages(pair, AUTH)
    assert answer.payloads == (N(NotifyType.AUTHENTICATION_FAILED),)
    assert [type(p) for flight in pair.past if flight.message == answer for p in raw(flight.datagram).payloads] == [
        wire.SK
    ]
    assert not pair.ikes(A) + pair.ikes(B)
    assert not outputs(pair, sa.Established)


@pytest.mark.parametrize("which", ["secret", "name"])
def test_s2_21_2_an_initiator_tells_it_in_an_exchange_of_its_own(which: str) -> None:
    pair = established(connections=strangers(which, B))
    assert errors(messages(pair, AUTH)[1]) == []
    told, answer = messages(pair, INFO)
    assert (told.is_response, told.payloads) == (False, (N(NotifyType.AUTHENTICATION_FAILED),))
    assert answer.payloads == ()
    assert not pair.ikes(A) + pair.ikes(B)
    assert not outputs(pair, sa.Established, end=A)


@pytest.mark.parametrize("spoilt", [False, True])
@pytest.mark.parametrize("payload", [MALFORMED, CRITICAL])
def test_s2_21_2_a_malformed_ike_auth_request_is_refused_before_anything_in_it_is_verified(
    payload: Unknown, spoilt: bool
) -> None:
    """Whether its AUTH is right or not: the answer is the one notification, and nothing is established."""
    pair = after_init()
    answered = altered(
        pair,
        lambda payloads: (
            *[p._replace(data=bytes(32)) if type(p) is wire.AUTH and spoilt else p for p in payloads],
            payload,
        ),
    )
    (answer,) = answered.messages
    expected = NotifyType.INVALID_SYNTAX if payload is MALFORMED else NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD
    assert [p.type for p in answer.payloads if type(p) is N] == [expected]
    assert len(answer.payloads) == 1
    assert not answered.kinds() & {sa.Established, sa.Install}
    assert not pair.ikes(B)


@pytest.mark.parametrize("begins", ENDS)
def test_s2_21_2_a_responder_proves_itself_although_the_child_sa_is_refused(begins: str) -> None:
    """IDr and AUTH stand beside the error; both ends have the IKE SA, which can be deleted if it is no use."""
    other = {"local_ts": (addresses.from_text("172.16.0.0/12"),)}
    pair = Pair(1, connections=policies(only=PEER[begins], child=other)).establish(begins)
    _, answer = messages(pair, AUTH)
    assert kinds(answer) == ["IDr", "AUTH", "N(TS_UNACCEPTABLE)"]
    assert [ike.phase for end in ENDS for ike in pair.ikes(end)] == [Phase.ESTABLISHED] * 2
    command(pair, begins, sa.DeleteIke())
    assert not pair.ikes(A) + pair.ikes(B)


def test_s2_21_2_what_ends_the_ike_sa_without_delete_is_said_in_words_that_every_peer_knows() -> None:
    """In IKE_AUTH and right after it: of all errors that ends send there, three alone."""
    said = set()
    for which in ("secret", "name"):
        for end in ENDS:
            pair = established(connections=strangers(which, end))
            said |= {kind for message in messages(pair) for kind in errors(message)}
            assert not pair.ikes(A) + pair.ikes(B)
    for payload in (MALFORMED, CRITICAL):
        pair = after_init()
        answered = altered(pair, lambda payloads, more=payload: (*payloads, more))  # type: ignore[misc]
        said |= {kind for message in answered.messages for kind in errors(message)}
    assert said == FATAL


@pytest.mark.parametrize("kind", [*OTHERS, *sorted(FATAL), 9999])
def test_s2_21_2_right_after_ike_auth_three_errors_alone_end_the_ike_sa(kind: int) -> None:
    """In the INFORMATIONAL exchange that follows directly, Section 2.21.2."""
    pair = established()
    answered = request(pair, B, INFO, (N(kind),))
    assert [message.payloads for message in answered.messages] == [()]
    assert (sa.Closed in answered.kinds()) is (kind in FATAL)
    assert bool(pair.ikes(B)) is (kind not in FATAL)


# Section 2.21.3

ERRONEOUS: dict[str, tuple[int, tuple[wire.Payload, ...], int]] = {
    "malformed": (INFO, (MALFORMED,), NotifyType.INVALID_SYNTAX),
    "critical": (INFO, (CRITICAL,), NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD),
    "another exchange": (99, (), NotifyType.INVALID_SYNTAX),
    "a Child SA without a proposal": (CREATE, (wire.Nonce(bytes(32)),), NotifyType.INVALID_SYNTAX),
    "a Child SA with a malformed payload": (CREATE, (wire.Nonce(bytes(32)), MALFORMED), NotifyType.INVALID_SYNTAX),
    "a rekey of nothing": (
        CREATE,
        (N(NotifyType.REKEY_SA, b"", ESP, b"none"), wire.Nonce(bytes(32))),
        NotifyType.CHILD_SA_NOT_FOUND,
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", ERRONEOUS)
def test_s2_21_3_what_is_wrong_with_a_request_is_told_in_the_response(what: str, end: str) -> None:
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    exchange, payloads, error = ERRONEOUS[what]
    number = pair.ikes(end)[-1].expected
    (answer,) = request(pair, end, exchange, payloads).messages
    assert (answer.is_response, answer.message_id, errors(answer)) == (True, number, [error])


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("payload", "error"),
    [(MALFORMED, NotifyType.INVALID_SYNTAX), (CRITICAL, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD)],
)
def test_s2_21_3_an_erroneous_request_is_answered_and_what_is_malformed_ends_all(
    payload: Unknown, error: int, end: str
) -> None:
    """At both ends, without a Delete."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    answered = request(pair, end, INFO, (payload,))
    assert [errors(message) for message in answered.messages] == [[error]]
    assert (sa.Closed in answered.kinds()) is (error == NotifyType.INVALID_SYNTAX)
    assert bool(pair.ikes(end)) is (error != NotifyType.INVALID_SYNTAX)


@pytest.mark.parametrize("end", ENDS)
def test_s2_21_3_a_response_that_shows_another_state_ends_in_a_delete(end: str) -> None:
    """The peer has an IKE SA that this end can't have: both are deleted, in an exchange, and no error is sent."""
    pair = established()
    pair.command(end, sa.RekeyIke())
    asked = pair.flying.pop().message
    assert asked is not None
    answered = respond(pair, end, CREATE, (wire.Nonce(bytes(32)),), asked.message_id)
    assert [kinds(message) for message in answered.messages] == [["D"]]
    assert [ike.phase for ike in pair.ikes(end)] == [Phase.DELETING]


# Section 2.21.4


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [NotifyType.INVALID_SPI, NotifyType.INVALID_IKE_SPI, NotifyType.INVALID_MESSAGE_ID])
def test_s2_21_4_a_report_about_suspicious_messages_changes_nothing(kind: int, end: str) -> None:
    """Under the keys: it is answered, and the operator is told."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (child,) = pair.children(end)
    (before,) = pair.ikes(end)
    answered = request(pair, end, INFO, (N(kind, child.spi_in),))
    assert [message.payloads for message in answered.messages] == [()]
    assert answered.kinds() == {sa.Received, sa.Transmit, sa.Audit}
    assert pair.children(end) == (child,)
    (after,) = pair.ikes(end)
    assert (after.phase, after.outstanding, after.queue) == (before.phase, (), ())


# Section 2.25


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", ["create", "rekey child", "rekey IKE"])
def test_s2_25_after_temporary_failure_it_is_tried_again_later_and_several_times(what: str, end: str) -> None:
    """Each wait is longer than the last; minutes pass before the IKE SA is given up."""
    pair = established(settings=Settings(retry_seconds=10, retry_tries=4))
    (old,) = pair.children(end)
    commands: dict[str, sa.Command] = {
        "create": sa.CreateChild("web"),
        "rekey child": sa.RekeyChild(old.spi_in),
        "rekey IKE": sa.RekeyIke(),
    }
    pair.command(end, commands[what])
    moments = []
    while pair.flying:
        flight = pair.flying[0]
        assert flight.message is not None
        if flight.message.exchange_type == INFO:
            break
        moments.append(pair.now)
        pair.lose(flight)
        answered = respond(pair, end, CREATE, (N(NotifyType.TEMPORARY_FAILURE),), flight.message.message_id)
        if not answered.messages:
            pair.advance()
    waits = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert len(waits) == 4
    assert waits[0] >= 10
    assert all(later > sooner * 1.2 for sooner, later in itertools.pairwise(waits))
    assert moments[-1] > 120
    assert [ike.phase for ike in pair.ikes(end)] == [Phase.DELETING]


@pytest.mark.parametrize("end", ENDS)
def test_s2_25_who_hears_child_sa_not_found_drops_it_and_asks_for_a_new_one(end: str) -> None:
    """Quietly: no Delete is sent for what the peer has not got."""
    pair = established()
    (old,) = pair.children(end)
    (theirs,) = pair.children(PEER[end])
    number, session = next(iter(pair.ends[PEER[end]].sessions.items()))
    pair.ends[PEER[end]].sessions[number] = session._replace(children=())
    pair.command(end, sa.RekeyChild(old.spi_in))
    pair.deliver(pair.flying[0])
    (refusal,) = messages(pair, CREATE, response=True)
    assert refusal.payloads == (N(NotifyType.CHILD_SA_NOT_FOUND, b"", ESP, old.spi_in),)
    record = pair.deliver(pair.flying[0])
    assert len(done(record, sa.Remove)) == 2
    pair.deliver_all()
    assert not [message for message in messages(pair, INFO) if message.payloads]
    assert [len(pair.children(each)) for each in ENDS] == [1, 1]
    assert pair.children(end)[0].spi_in != old.spi_in
    assert theirs.spi_out == old.spi_in


def crossing(pair: Pair, first: str, what: sa.Command, other: sa.Command) -> list[Message]:
    """Two requests cross; what each of them is answered with, that of `first` first."""
    pair.command(first, what)
    pair.command(PEER[first], other)
    answers = []
    for flight in list(pair.flying):
        answers += replies(pair.deliver(flight).outputs)
    return [message for message in answers if message.is_response]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("what", "other", "answer"),
    [
        ("rekey child", "delete child", ["N(TEMPORARY_FAILURE)"]),
        ("rekey child", "rekey child", ["SA", "Nonce", "TSi", "TSr"]),
        ("delete child", "delete child", []),
        ("delete child", "rekey child", ["D"]),
        ("rekey IKE", "create", ["N(TEMPORARY_FAILURE)"]),
        ("rekey IKE", "rekey child", ["N(TEMPORARY_FAILURE)"]),
        ("rekey IKE", "delete child", ["N(TEMPORARY_FAILURE)"]),
        ("rekey IKE", "rekey IKE", ["SA", "Nonce", "KE"]),
        ("rekey IKE", "delete IKE", ["N(TEMPORARY_FAILURE)"]),
        ("delete IKE", "rekey IKE", []),
        ("delete IKE", "delete IKE", []),
        ("create", "rekey IKE", ["N(TEMPORARY_FAILURE)"]),
        ("rekey child", "rekey IKE", ["N(TEMPORARY_FAILURE)"]),
        ("delete child", "rekey IKE", ["D"]),
    ],
)
def test_s2_25_how_a_request_is_answered_while_one_of_its_own_is_under_way(
    what: str, other: str, answer: list[str], end: str
) -> None:
    """`what` is asked by one end; `other` is what the end that answers has just asked for itself."""
    pair = established()

    def asked(by: str, name: str) -> sa.Command:
        (child,) = pair.children(by)
        commands: dict[str, sa.Command] = {
            "create": sa.CreateChild("web"),
            "rekey child": sa.RekeyChild(child.spi_in),
            "delete child": sa.DeleteChild(child.spi_in),
            "rekey IKE": sa.RekeyIke(),
            "delete IKE": sa.DeleteIke(),
        }
        return commands[name]

    answers = crossing(pair, end, asked(end, what), asked(PEER[end], other))
    assert kinds(answers[0]) == answer
    pair.settle()
    left = {each: [child.spi_in for child in pair.children(each)] for each in ENDS}
    assert sorted(left[A]) == sorted(child.spi_out for child in pair.children(B))
    assert len(pair.ikes(A)) == len(pair.ikes(B)) == (0 if "delete IKE" in (what, other) else 1)


@pytest.mark.parametrize("end", ENDS)
def test_s2_25_1_what_is_asked_of_a_child_sa_that_is_not_there(end: str) -> None:
    """A rekey is told so, with the SPI that it named; a Delete is answered without Delete."""
    pair = established()
    command(pair, PEER[end], sa.CheckLiveness())
    (answer,) = request(pair, end, CREATE, (N(NotifyType.REKEY_SA, b"", ESP, b"none"), wire.Nonce(bytes(32)))).messages
    assert answer.payloads == (N(NotifyType.CHILD_SA_NOT_FOUND, b"", ESP, b"none"),)
    (answer,) = request(pair, end, INFO, (wire.D(ESP, 4, (b"none",)),)).messages
    assert answer.payloads == ()
