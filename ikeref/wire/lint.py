"""What is wrong with a datagram as far as one can see from itself alone (Sections 1.2, 2.5 and 3).

The decoder refuses what no receiver can read. This pass, made for people, goes further: payloads that an exchange must
have, transforms that a proposal must have, a public value of the wrong size. It knows no state, so it can't tell an
unasked cookie or a message ID outside the window; and what a receiver has to tolerate (reserved bits, minor versions,
unknown payloads that are not critical, any order) is no defect.
"""

from collections.abc import Iterator
from typing import Final

from ikeref.errors import Dropped, ProtocolError
from ikeref.registry import ExchangeType, NotifyType, PayloadType
from ikeref.wire.encapsulation import NON_ESP_MARKER, Ike, Keepalive, split
from ikeref.wire.encrypted import SK, SKF
from ikeref.wire.fieldmap import Opened, explain
from ikeref.wire.header import FLAG_INITIATOR, GENERIC_SIZE, HEADER_SIZE, NO_SPI
from ikeref.wire.lint_payloads import Defect, Where, lint_ke_group, lint_payload
from ikeref.wire.message import Message, decode
from ikeref.wire.notify import N
from ikeref.wire.payloads import TRAILING, Payload, decode_payloads, encode_payloads, payload_name, payload_type
from ikeref.wire.vendor import Unknown

_RESERVED_EXCHANGES: Final = range(34)
"""Exchange types below IKE_SA_INIT are reserved; 0 to 33 mean nothing in IKEv2 (Section 3.1)."""

_INIT_ONCE: Final = (PayloadType.SA, PayloadType.KE, PayloadType.NONCE)
_INIT_ALLOWED: Final = (*_INIT_ONCE, PayloadType.N, PayloadType.V, PayloadType.CERTREQ)

_UNPROTECTED: Final = (
    NotifyType.INVALID_IKE_SPI,
    NotifyType.INVALID_MAJOR_VERSION,
    NotifyType.INVALID_SPI,
)
"""Notifications that are sent outside of an IKE SA (Sections 1.5 and 2.5)."""


def lint(datagram: bytes, *, port: int = 500, opened: Opened | None = None) -> tuple[Defect, ...]:
    """The defects of `datagram` as it came in on UDP `port` (500, or 4500 with the non-ESP marker), in no set order.

    An error of the decoder comes alone: behind it nothing is certain. Never raises.
    """
    if port == 4500:
        try:
            packet = split(datagram)
        except Dropped as error:
            return (_of(error, 0),)
        if not isinstance(packet, Ike):
            what = "a NAT keepalive" if isinstance(packet, Keepalive) else "ESP, as its first four octets are not zero"
            return (Defect(0, "Non-ESP Marker", "2.23", f"this is no IKE message, but {what}", "7296-3.1-03"),)
        return tuple(
            defect._replace(offset=min(defect.offset + len(NON_ESP_MARKER), len(datagram) - 1))
            for defect in lint(packet.datagram, opened=opened)
        )
    explanation = explain(datagram, opened)
    if explanation.error is not None:
        return (_of(explanation.error, len(datagram)),)
    message = decode(datagram)
    where = Where(explanation.fields)
    return tuple(_message_defects(message, where, opened))


def _of(error: ProtocolError, size: int) -> Defect:
    """The decoder's error as a defect; one that lies behind the end is shown at the last octet."""
    return Defect(max(0, min(error.offset, size - 1)), error.field or "Header", error.section, error.reason)


def _message_defects(message: Message, where: Where, opened: Opened | None) -> Iterator[Defect]:
    yield from _header_defects(message)
    if message.exchange_type == ExchangeType.IKE_SA_INIT:
        yield from _init_defects(message, where)
    elif not (message.payloads and isinstance(message.payloads[-1], (SK, SKF))) and not _may_be_open(message):
        yield Defect(
            HEADER_SIZE if message.payloads else 16,
            f"{payload_name(message.payloads[0]) if message.payloads else 'Header'}.Next Payload",
            "1.2",
            "after IKE_SA_INIT every message must be encrypted, and there is neither SK nor SKF",
            "7296-1.2-02",
        )
    yield from _payload_defects(message, message.payloads, HEADER_SIZE, where)
    if message.trailing:
        offset = where.size - len(message.trailing)
        yield Defect(offset, TRAILING, "3.2", f"{len(message.trailing)} octets follow the last payload", "7296-3.1-32")
    last = message.payloads[-1] if message.payloads else None
    if isinstance(last, Unknown) and last.next_payload:
        offset = where.size - len(last.data) - GENERIC_SIZE
        reason = f"Next Payload announces payload type {last.next_payload}, and nothing follows"
        yield Defect(offset, f"{last.type}.Next Payload", "3.2", reason, "7296-3.2-02")
    if isinstance(last, SK) and opened is not None and opened.plaintext:
        payloads = opened.plaintext[: max(0, len(opened.plaintext) - 1 - opened.plaintext[-1])]
        start = where.size - len(last.body) + opened.iv_size
        yield from _payload_defects(message, decode_payloads(last.next_payload, payloads), start, where)


def _payload_defects(message: Message, payloads: tuple[Payload, ...], start: int, where: Where) -> Iterator[Defect]:
    for payload in payloads:
        yield from lint_payload(payload, message, where.behind(start))
        start += len(encode_payloads((payload,)))


def _header_defects(message: Message) -> Iterator[Defect]:
    if message.exchange_type in _RESERVED_EXCHANGES:
        yield Defect(
            18,
            "Header.Exchange Type",
            "3.1",
            f"exchange type {message.exchange_type} is reserved, and means nothing in IKEv2",
            "7296-3.1-19",
        )
    if message.exchange_type != ExchangeType.IKE_SA_INIT:
        return
    if message.message_id != 0:
        yield Defect(
            20,
            "Header.Message ID",
            "2.2",
            f"IKE_SA_INIT has message ID 0, not {message.message_id}",
            "7296-2.2-02",
        )
    if bool(message.flags & FLAG_INITIATOR) == message.is_response:
        yield Defect(
            19,
            "Header.Flags",
            "3.1",
            "the Initiator flag must be clear in a response to IKE_SA_INIT"
            if message.is_response
            else "the Initiator flag must be set in a request for IKE_SA_INIT",
            "7296-3.1-29" if message.is_response else "7296-3.1-28",
        )
    if message.spi_r != NO_SPI and not message.is_response:
        yield Defect(
            8,
            "Header.IKE SA Responder's SPI",
            "3.1",
            "the responder's SPI must be zero in a request for IKE_SA_INIT",
            "7296-3.1-12",
        )


def _init_defects(message: Message, where: Where) -> Iterator[Defect]:
    """Which payloads IKE_SA_INIT has, and how often (Section 1.2)."""
    kinds = [payload_type(payload) for payload in message.payloads]
    position = HEADER_SIZE
    seen: set[int] = set()
    for kind, payload in zip(kinds, message.payloads, strict=True):
        label = payload_name(payload)
        if kind in _INIT_ONCE and kind in seen:
            yield Defect(position, f"{label}.Next Payload", "1.2", f"a second {label}: IKE_SA_INIT has one")
        elif isinstance(payload, (SK, SKF)):
            section = "1.2" if isinstance(payload, SK) else "RFC 7383 2.5"
            reason = f"{label} in IKE_SA_INIT, when no keys exist yet"
            yield Defect(position, f"{label}.Next Payload", section, reason)
        elif kind not in _INIT_ALLOWED and not label.isdecimal():
            reason = f"{label} has no place in IKE_SA_INIT"
            yield Defect(position, f"{label}.Next Payload", "1.2", reason, "7296-3.1-18")
        if kind == PayloadType.N and label == "N(COOKIE)" and not message.is_response and seen:
            reason = "a cookie must stand in the first payload"
            yield Defect(position, f"{label}.Next Payload", "2.6", reason, "7296-2.6-12")
        seen.add(kind)
        position += len(encode_payloads((payload,)))
    refusal = message.is_response and PayloadType.N in seen and not seen.intersection(_INIT_ONCE)
    if not refusal and not seen.intersection((PayloadType.SK, PayloadType.SKF)):
        requirement = "7296-1.2-06" if message.is_response else "7296-1.2-05"
        for kind in _INIT_ONCE:
            if kind not in seen:
                reason = f"{kind.name} is missing from IKE_SA_INIT"
                yield Defect(16, "Header.Next Payload", "1.2", reason, requirement)
    yield from lint_ke_group(message.payloads, where)


def _may_be_open(message: Message) -> bool:
    """Whether this is one of the notifications that are sent outside of an IKE SA (Sections 1.5 and 2.5)."""
    return bool(message.payloads) and all(
        isinstance(payload, N) and payload.type in _UNPROTECTED for payload in message.payloads
    )
