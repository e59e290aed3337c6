"""IKE_AUTH with EAP in a capture: round by round, as the rows have it (Section 2.16).

Where the capture has all of it, that is. Where a message is lacking, what EAP was about in between is unknown, and the
rounds count as one exchange.
"""

from typing import Final

from ikeref_model.events import Kind, Outcome
from ikeref_model.monitor import Candidate

from ikeref.wire import EAP
from ikeref_properties.capture import meaning
from ikeref_properties.capture.sessions import Exchange, Item
from ikeref_properties.refinement import words

OUTCOMES: Final = (Outcome.EAP, Outcome.EAP_SUCCESS, Outcome.EAP_FAILURE)
"""What a response that the capture lacks may have been, besides."""


def mark(queue: list[Exchange], peers: list[Exchange]) -> None:
    """Of what the initiator of an IKE SA asked, find the rounds that can be judged one by one; `peers` is what the
    responder asked."""
    rounds = [each for each in queue if each.kind is Kind.IKE_AUTH]
    if (
        _is_whole(queue, rounds)
        and not _goes_on(queue, peers, rounds[-1])
        and any(meaning.EAP in each.extensions for each in rounds)
    ):
        for each in rounds:
            each.by_round = True


def _is_whole(queue: list[Exchange], rounds: list[Exchange]) -> bool:
    begun = [each for each in queue if each.kind is Kind.IKE_SA_INIT]
    if not rounds or not begun or begun[-1].outcome is not Outcome.OK or not _seen(begun[-1]):
        return False
    if [each.message_id for each in rounds] != list(range(1, len(rounds) + 1)):
        return False
    if not all(_seen(each) for each in rounds[:-1]) or rounds[-1].request is None:
        return False
    if rounds[-1].response is not None and not _seen(rounds[-1]):
        return False
    following = queue[queue.index(begun[-1]) + 1 :]
    for earlier, later in zip((begun[-1], *following), following, strict=False):
        if later.request is None or earlier.response is None or later.request.index < earlier.response.index:
            return False
        if later is rounds[-1]:
            break
    return True


def _goes_on(queue: list[Exchange], peers: list[Exchange], last: Exchange) -> bool:
    """Whether rounds came after the last that the capture has: what it has next on the IKE SA shows it."""
    later = queue[queue.index(last) + 1 :]
    gap = bool(later) and later[0].message_id != last.message_id + 1
    return not last.final and (gap or (bool(peers) and not later))


def _seen(exchange: Exchange) -> bool:
    """Whether the capture has both messages, in their order."""
    request, response = exchange.request, exchange.response
    return request is not None and response is not None and request.index < response.index


def outcome(exchange: Exchange) -> Outcome | None:
    """What a response says; None if there is none."""
    if not exchange.by_round or exchange.response is None or exchange.kind is None:
        return exchange.outcome
    return words.outcome_of(exchange.kind, exchange.response.message)


def is_deleted(exchange: Exchange) -> bool:
    """Whether the initiator gave up in a way that the rows don't have: by a Delete."""
    return exchange.abandoned_by is Kind.DELETE_IKE


def proves(exchange: Exchange) -> bool:
    """Whether the request has an AUTH payload."""
    return exchange.request is not None and words.has_auth(exchange.request.message)


def verifies(exchange: Exchange) -> tuple[tuple[str, bool], ...]:
    """What a response without AUTH is worth: nothing, unless EAP alone is to prove the responder (RFC 5998)."""
    request, response = exchange.request, exchange.response
    if request is None or response is None or words.has_auth(response.message):
        return ()
    if words.asks_for_eap_alone(request.message) and words.eap_code(response.message) is not None:
        return ()
    return (("verifies", False),)


def misplaced(before: Exchange, exchange: Exchange) -> Candidate | None:
    """Why a request can't follow upon a response: AUTH comes after EAP Success and not before (7296-2.16-18), nothing
    after EAP Failure, and an EAP Response has the Identifier of its EAP request (7296-3.16-03)."""
    said = outcome(before)
    if said is Outcome.EAP_FAILURE:
        return Candidate("eap.response.failure", "2.16", "EAP Failure has ended the IKE SA")
    if said is Outcome.EAP_SUCCESS and not proves(exchange):
        return Candidate("eap.response.success", "2.16", "AUTH is due after EAP Success")
    if said is not Outcome.EAP:
        return None
    if before.message_id == 1 and verifies(before):
        return Candidate(
            "eap.response.begin", "2.16", "the responder has not proved itself, nor was EAP alone to do that"
        )
    if proves(exchange):
        return Candidate("eap.response.round", "2.16", "AUTH comes before EAP Success")
    asked, answer = _eap(before.response), _eap(exchange.request)
    if len(asked) > 1 and (answer[:1] != b"\x02" or answer[1:2] != asked[1:2]):
        return Candidate("eap.response.round", "2.16", "what it has is no EAP Response to the EAP request before")
    return None


def _eap(item: Item | None) -> bytes:
    """The EAP message in it."""
    payloads = item.message.payloads if item is not None else ()
    return next((each.data for each in payloads if isinstance(each, EAP)), b"")
