"""Rounds of EAP in captures, altered: a violation at the first message that does not follow (Section 2.16)."""

from typing import NamedTuple

import pytest
from ikeref_properties.capture.check import Exit

from ikeref import wire
from ikeref.registry import NotifyType
from tests.conformance.altering import Alteration, Altered, captured

USER = "eap-mschapv2"
"""Packets: 3-4 IKE_AUTH without AUTH and the first EAP request, 5-8 rounds, 9-10 EAP Success, 11-12 AUTH."""


def with_eap(it: Altered, number: int, octets: bytes) -> Altered:
    """Another EAP message in a packet."""
    message = it.message(number)
    payloads = [wire.EAP(octets) if isinstance(each, wire.EAP) else each for each in message.payloads]
    return it.replace(number, message._replace(payloads=tuple(payloads)))


def with_payloads(it: Altered, number: int, *payloads: wire.Payload) -> Altered:
    return it.replace(number, it.message(number)._replace(payloads=payloads))


def eap(it: Altered, number: int) -> bytes:
    return next(each.data for each in it.message(number).payloads if isinstance(each, wire.EAP))


def success_amid_the_rounds(it: Altered) -> Altered:
    return with_eap(it, 8, bytes((3, eap(it, 8)[1], 0, 4)))


def failure_and_yet_it_goes_on(it: Altered) -> Altered:
    return with_eap(it, 8, bytes((4, eap(it, 8)[1], 0, 4)))


def auth_without_success(it: Altered) -> Altered:
    return with_eap(it, 10, eap(it, 8))


def a_round_after_success(it: Altered) -> Altered:
    return with_payloads(it, 11, wire.EAP(eap(it, 9)))


def rounds_in_another_order(it: Altered) -> Altered:
    fifth, seventh = eap(it, 5), eap(it, 7)
    return with_eap(with_eap(it, 5, seventh), 7, fifth)


def an_eap_request_of_the_initiator(it: Altered) -> Altered:
    return with_eap(it, 7, b"\1" + eap(it, 7)[1:])


def without_auth(it: Altered) -> Altered:
    """The first answer."""
    return with_payloads(it, 4, *(each for each in it.message(4).payloads if not isinstance(each, wire.AUTH)))


def first_answer_without_auth(it: Altered) -> Altered:
    """Nor did the initiator say that EAP alone would do (RFC 5998)."""
    alone = int(NotifyType.EAP_ONLY_AUTHENTICATION)
    kept = [each for each in it.message(3).payloads if not (isinstance(each, wire.N) and each.type == alone)]
    return with_payloads(without_auth(it), 3, *kept)


def nothing_in_an_answer(it: Altered) -> Altered:
    return with_payloads(it, 6)


def accepted_amid_the_rounds(it: Altered) -> Altered:
    return with_payloads(it, 8, *it.message(12).payloads)


def a_round_in_answer_to_auth(it: Altered) -> Altered:
    return with_payloads(it, 12, wire.EAP(eap(it, 8)))


def refused_and_yet_it_goes_on(it: Altered) -> Altered:
    return with_payloads(it, 8, wire.N(int(NotifyType.AUTHENTICATION_FAILED)))


class Case(NamedTuple):
    alteration: Alteration
    packet: int
    """The first that nothing explains."""


CASES = (
    Case(success_amid_the_rounds, 9),
    Case(failure_and_yet_it_goes_on, 9),
    Case(auth_without_success, 11),
    Case(a_round_after_success, 11),
    Case(rounds_in_another_order, 5),
    Case(an_eap_request_of_the_initiator, 7),
    Case(first_answer_without_auth, 5),
    Case(nothing_in_an_answer, 6),
    Case(accepted_amid_the_rounds, 8),
    Case(a_round_in_answer_to_auth, 12),
    Case(refused_and_yet_it_goes_on, 8),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alteration.__name__)
def test_s2_16_an_altered_round_is_a_violation_there(case: Case) -> None:
    report = case.alteration(captured(USER)).judge()
    assert report.exit is Exit.VIOLATION
    assert [each.number for each in report.violations] == [case.packet]
    assert report.violations[0].rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alteration.__name__)
def test_s2_16_what_a_capture_lacks_is_not_held_against_anybody(case: Case) -> None:
    """The same without the message that is altered, or that shows it: the rounds count as one exchange."""
    it = captured(USER)
    for lost in (case.packet, case.packet - 1):
        assert it.without(lost).judge().exit is Exit.CONFORMS


def test_rfc5998_s3_where_eap_alone_is_to_do_the_first_answer_needs_no_auth() -> None:
    assert without_auth(captured(USER)).judge().exit is Exit.CONFORMS
