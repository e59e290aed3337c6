"""What one message shows to be wrong when held against those that it belongs with (Sections 1.4.1, 2.1 to 2.3, 2.6)."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from ikeref_model.events import Kind, Outcome

from ikeref import registry, wire
from ikeref.registry import ExchangeType, NotifyType
from ikeref_properties.capture import meaning
from ikeref_properties.capture.sessions import Item


class Weight(StrEnum):
    """How bad it is."""

    VIOLATION = "violation"
    WARNING = "warning"
    NOTE = "note"


class Finding(NamedTuple):
    """Something to be said of one message."""

    weight: Weight
    number: int
    """Of the packet in the capture; 0 if it is about no single one."""
    text: str
    section: str = ""
    requirements: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    """Which rows came closest, and why they don't fit."""


def copy(item: Item) -> Finding | None:
    """What is wrong with a message that bears the numbers of one that was seen before; None if it is the same again."""
    exchange = item.exchange
    first = exchange.response if item.is_response else exchange.request
    assert first is not None
    if first.seen.octets == item.seen.octets:
        return None
    fragmented = len(first.seen.octets) > 1 or len(item.seen.octets) > 1
    if fragmented and first.message == item.message:
        return None
    stateless = exchange.kind is Kind.IKE_SA_INIT and item.is_response and meaning.offer(item.message) is None
    if stateless:  # a responder that keeps no state answers a copy anew (Section 2.6)
        return None
    again = f"request {item.message.message_id}" if not item.is_response else f"response {item.message.message_id}"
    if item.is_response:
        return Finding(
            Weight.VIOLATION,
            item.seen.number,
            f"{again} was sent before with other octets, in packet {first.seen.number}: a request is answered once, "
            "and then by the same response again",
            "2.1",
            ("7296-2.1-04", "7296-2.1-06"),
        )
    return Finding(
        Weight.VIOLATION,
        item.seen.number,
        f"{again} was sent before with other octets, in packet {first.seen.number}: a retransmission is identical, "
        "and a new request has a new Message ID",
        "2.1",
        ("7296-2.1-11", "7296-2.2-03"),
    )


def first(item: Item) -> Iterator[Finding]:
    """What is wrong with a message that is seen for the first time."""
    if item.is_response:
        yield from _answer(item)
    elif item.exchange.kind is Kind.IKE_SA_INIT and item.exchange.round:
        yield from _retry(item)


def _answer(item: Item) -> Iterator[Finding]:
    exchange, number = item.exchange, item.seen.number
    request = exchange.request
    asked = request.message.exchange_type if request is not None else item.message.exchange_type
    if request is not None and request.index < item.index and asked != item.message.exchange_type:
        names = [registry.name(ExchangeType, each) for each in (item.message.exchange_type, asked)]
        yield Finding(
            Weight.VIOLATION,
            number,
            f"a response of {names[0]} to a request of {names[1]}: both messages of an exchange bear its type",
            "3.1",
            ("7296-3.1-18", "7296-2.2-06"),
        )
    if NotifyType.INVALID_MESSAGE_ID in meaning.errors(item.message):
        yield Finding(
            Weight.VIOLATION, number, "INVALID_MESSAGE_ID in a response", "2.3", ("7296-2.3-15", "7296-2.3-17")
        )
    strange = [name for name in exchange.answered if name not in exchange.subjects]
    if strange and request is not None:
        yield Finding(
            Weight.VIOLATION,
            number,
            "the response deletes a Child SA that the request did not name: it deletes those paired with the request's",
            "1.4.1",
            ("7296-1.4.1-07", "7296-1.4.1-03"),
        )


_COOKIE: Final = int(NotifyType.COOKIE)


def _retry(item: Item) -> Iterator[Finding]:
    """An IKE_SA_INIT that is tried again: what may differ (Sections 1.2, 2.6 and 2.6.1)."""
    before = item.exchange.earlier
    if before is None or before.request is None or before.response is None:
        return
    old, new, number = before.request.message, item.message, item.seen.number
    if before.outcome is Outcome.COOKIE:
        given = next(
            (each.data for each in meaning.notifications(before.response.message) if each.type == _COOKIE), b""
        )
        head = new.payloads[0] if new.payloads else None
        if not isinstance(head, wire.N) or head.type != _COOKIE or head.data != given:
            yield Finding(
                Weight.VIOLATION,
                number,
                "after COOKIE the request comes again with that cookie as its first payload",
                "2.6",
                ("7296-2.6-12",),
            )
        elif _rest(old) != _rest(new) and _group(old) == _group(new):
            yield Finding(
                Weight.VIOLATION, number, "after COOKIE all other payloads stay as they were", "2.6", ("7296-2.6-13",)
            )
    elif before.outcome is Outcome.INVALID_KE_PAYLOAD and not _suites(old) <= _suites(new):
        yield Finding(
            Weight.VIOLATION, number, "after INVALID_KE_PAYLOAD all suites are offered again", "1.2", ("7296-1.2-22",)
        )


def _rest(message: wire.Message) -> tuple[wire.Payload, ...]:
    return tuple(each for each in message.payloads if not (isinstance(each, wire.N) and each.type == _COOKIE))


def _group(message: wire.Message) -> int | None:
    """The group of KE. Where it changes, the capture lacks an INVALID_KE_PAYLOAD."""
    return next((each.group for each in message.payloads if isinstance(each, wire.KE)), None)


def _suites(message: wire.Message) -> frozenset[tuple[int, wire.Transform]]:
    """The transforms offered, with the number of their proposal, in whatever order."""
    offers = [each for each in message.payloads if isinstance(each, wire.SA)]
    return frozenset(
        (proposal.number, transform)
        for each in offers
        for proposal in each.proposals
        for transform in proposal.transforms
    )
