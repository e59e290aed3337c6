"""Captures altered so that no loss, duplication, reordering or gap explains them are violations, from there on.

Every forged message is encrypted with the keys of its IKE SA. The twin of each is the capture as it was, and the
capture with every protected message encrypted anew.
"""

from typing import NamedTuple

import pytest
from ikeref_properties.capture.check import Exit
from ikeref_properties.capture.rules import Weight

from ikeref import wire
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from tests.conformance.altering import Alteration, Altered, captured, scenarios

LIFE = "second-child-esp"
"""Packets: 1-4 initial exchanges, 5-6 second Child SA, 9-10 liveness, 17-18 rekeys it, 19-24 Deletes of the old one,
the first and the new one, 25-26 Delete of the IKE SA."""
SUCCESSION = "transport-many-children"
"""Packets: 1-10 initial exchanges and three more Child SAs, 11-12 Delete, 13-14 IKE SA rekey, 15-16 Delete of the old
IKE SA, 17-18 a Delete by the responder on the new one, 19-22 a rekey, 23-24 the end."""
CROSSING = "collision-delete-delete-child"
COOKIES = "cookie-invalid-ke"
PADDED = wire.V(b"no more than octets")


def informational(like: wire.Message, message_id: int, *payloads: wire.Payload) -> wire.Message:
    return like._replace(exchange_type=int(ExchangeType.INFORMATIONAL), message_id=message_id, payloads=payloads)


def delete(*spis: bytes) -> wire.D:
    return wire.D(int(ProtocolId.ESP), 4, spis)


def notify(kind: NotifyType) -> wire.N:
    return wire.N(int(kind))


def response_without_request(it: Altered) -> Altered:
    return it.add(6, informational(it.message(6), 7), 6)


def response_to_nobody_who_asked(it: Altered) -> Altered:
    return it.add(16, informational(it.message(18), 4), 18)


def request_beyond_the_window(it: Altered) -> Altered:
    return it.add(5, informational(it.message(5), 3), 5)


def request_ahead_of_its_turn(it: Altered) -> Altered:
    return it.add(6, informational(it.message(5), 5), 5)


def message_id_with_other_content(it: Altered) -> Altered:
    return it.add(10, informational(it.message(9), 3, PADDED), 9)


def retransmission_encrypted_anew(it: Altered) -> Altered:
    return it.add(5, it.message(5), 5)


def second_answer(it: Altered) -> Altered:
    return it.add(10, it.message(10)._replace(payloads=(PADDED,)), 10)


def delete_in_the_answer_to_a_crossing_delete(it: Altered) -> Altered:
    mine = next(each for each in it.message(6).payloads if isinstance(each, wire.D))
    return it.replace(8, it.message(8)._replace(payloads=(mine,)))


def wrong_exchange_type_in_response(it: Altered) -> Altered:
    return it.replace(10, it.message(10)._replace(exchange_type=int(ExchangeType.CREATE_CHILD_SA)))


def open_child_sa_not_deleted_in_answer(it: Altered) -> Altered:
    return it.replace(22, it.message(22)._replace(payloads=()))


def another_child_sa_deleted_in_answer(it: Altered) -> Altered:
    other = next(each for each in it.message(24).payloads if isinstance(each, wire.D))
    return it.replace(22, it.message(22)._replace(payloads=(other,)))


def delete_refused(it: Altered) -> Altered:
    return it.replace(22, it.message(22)._replace(payloads=(notify(NotifyType.TEMPORARY_FAILURE),)))


def request_after_the_end(it: Altered) -> Altered:
    return it.add(26, informational(it.message(25), 9), 25)


def delete_of_the_ike_sa_answered_by_a_delete(it: Altered) -> Altered:
    return it.replace(26, it.message(26)._replace(payloads=(wire.D(int(ProtocolId.IKE)),)))


def invalid_message_id_in_a_response(it: Altered) -> Altered:
    return it.replace(10, it.message(10)._replace(payloads=(notify(NotifyType.INVALID_MESSAGE_ID),)))


def child_sa_before_authentication(it: Altered) -> Altered:
    first = it.message(5)._replace(flags=0, message_id=0)
    return it.add(2, first, 2)


def authentication_once_more(it: Altered) -> Altered:
    again = it.message(3)._replace(message_id=3)
    return it.without(9, 10).add(6, again, 5)


def delete_of_a_child_sa_that_never_was(it: Altered) -> Altered:
    return it.replace(9, informational(it.message(9), 3, delete(bytes.fromhex("0badc0de"))))


def rekey_of_a_deleted_child_sa(it: Altered) -> Altered:
    rekey = it.message(17)._replace(message_id=8)
    return it.without(25, 26).add(24, rekey, 17)


def old_ike_sa_used_after_it_was_deleted(it: Altered) -> Altered:
    return it.add(16, informational(it.message(15), 8), 15)


def child_sa_deleted_on_the_old_ike_sa(it: Altered) -> Altered:
    spi = next(each for each in it.message(18).payloads if isinstance(each, wire.D)).spis[0]
    return it.add(14, informational(it.message(15)._replace(flags=0), 0, delete(spi)), 14)


def child_sa_not_found_though_it_is_there(it: Altered) -> Altered:
    return it.replace(18, it.message(18)._replace(payloads=(notify(NotifyType.CHILD_SA_NOT_FOUND),)))


def ike_sa_init_retried_without_the_cookie(it: Altered) -> Altered:
    first = it.message(9)
    return it.replace(9, first._replace(payloads=(*first.payloads[1:], PADDED)))


def ike_sa_init_retried_with_another_nonce(it: Altered) -> Altered:
    first = it.message(9)
    payloads = tuple(wire.Nonce(bytes(32)) if isinstance(each, wire.Nonce) else each for each in first.payloads)
    return it.replace(9, first._replace(payloads=payloads))


def fewer_suites_after_invalid_ke(it: Altered) -> Altered:
    first = it.message(11)
    return it.replace(11, first._replace(payloads=tuple(_fewer(each) for each in first.payloads)))


def _fewer(payload: wire.Payload) -> wire.Payload:
    if not isinstance(payload, wire.SA):
        return payload
    return wire.SA(tuple(each._replace(transforms=each.transforms[:-1]) for each in payload.proposals))


class Case(NamedTuple):
    alteration: Alteration
    capture: str
    packet: int
    """The first that nothing explains; forged ones that are put in bear the number 900."""
    section: str
    row: str = ""
    """The row that comes closest: its situation is the one at hand. Empty where no row is concerned."""


CASES = (
    Case(response_without_request, LIFE, 900, "2.2"),
    Case(response_to_nobody_who_asked, SUCCESSION, 900, "2.2"),
    Case(request_beyond_the_window, LIFE, 900, "2.3"),
    Case(request_ahead_of_its_turn, LIFE, 900, "2.2"),
    Case(message_id_with_other_content, LIFE, 900, "2.1"),
    Case(retransmission_encrypted_anew, LIFE, 900, "2.1"),
    Case(second_answer, LIFE, 900, "2.1"),
    Case(delete_in_the_answer_to_a_crossing_delete, CROSSING, 8, "1.4.1", "collision.delete_child.closing"),
    Case(wrong_exchange_type_in_response, LIFE, 10, "3.1"),
    Case(open_child_sa_not_deleted_in_answer, LIFE, 22, "1.4.1", "child.delete.request"),
    Case(another_child_sa_deleted_in_answer, LIFE, 22, "1.4.1"),
    Case(delete_refused, LIFE, 22, "1.4.1", "child.delete.request"),
    Case(request_after_the_end, LIFE, 900, "1.4.1", "liveness.send"),
    Case(delete_of_the_ike_sa_answered_by_a_delete, LIFE, 26, "1.4.1", "ike.delete.request"),
    Case(invalid_message_id_in_a_response, LIFE, 10, "2.3"),
    Case(child_sa_before_authentication, LIFE, 900, "1", "child.create.send"),
    Case(authentication_once_more, LIFE, 900, "1.2", "init.response.ok"),
    Case(delete_of_a_child_sa_that_never_was, LIFE, 9, "1.4.1", "child.delete.send"),
    Case(rekey_of_a_deleted_child_sa, LIFE, 900, "1.3.3", "child.rekey.send"),
    Case(old_ike_sa_used_after_it_was_deleted, SUCCESSION, 900, "2.8", "liveness.send"),
    Case(child_sa_deleted_on_the_old_ike_sa, SUCCESSION, 900, "2.8", "child.delete.send"),
    Case(child_sa_not_found_though_it_is_there, LIFE, 18, "1.3.3", "child.rekey.request.accept"),
    Case(ike_sa_init_retried_without_the_cookie, COOKIES, 9, "2.6"),
    Case(ike_sa_init_retried_with_another_nonce, COOKIES, 9, "2.6"),
    Case(fewer_suites_after_invalid_ke, COOKIES, 11, "1.2"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alteration.__name__)
def test_an_alteration_is_a_violation_at_the_first_message_affected(case: Case) -> None:
    report = case.alteration(captured(case.capture)).judge()
    violations = [each for each in report.findings if each.weight is Weight.VIOLATION]
    assert report.exit is Exit.VIOLATION
    assert [each.number for each in violations] == [case.packet]
    assert (violations[0].section, bool(violations[0].requirements)) == (case.section, True)
    assert violations[0].rows[:1] == ((case.row,) if case.row else ())


def test_the_reason_is_about_the_state_at_that_moment_and_not_about_an_earlier_one() -> None:
    (found,) = child_sa_deleted_on_the_old_ike_sa(captured(SUCCESSION)).judge().violations
    assert "is REPLACED" in found.details[0]
    (found,) = child_sa_before_authentication(captured(LIFE)).judge().violations
    assert "is HALF_OPEN" in found.details[0]


@pytest.mark.parametrize("name", scenarios())
def test_encrypted_anew_a_capture_conforms_as_before(name: str) -> None:
    it = captured(name)
    twin = it
    copies: dict[bytes, bytes] = {}
    for seen in it.seen:
        message = seen.message
        if message is not None and seen.state.name == "OPENED" and len(seen.octets) == 1:
            copies.setdefault(seen.octets[0], it.forged(seen.number, seen.number, message, iv=len(copies) + 1).octets)
            at = twin.place(seen.number)
            new = twin.datagrams[at]._replace(octets=copies[seen.octets[0]])
            twin = twin._replace(datagrams=(*twin.datagrams[:at], new, *twin.datagrams[at + 1 :]))
    assert copies or name == "no-proposal-ike"
    assert twin.judge().exit is Exit.CONFORMS
