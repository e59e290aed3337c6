"""What a message means to the rows: kind, outcome, SPIs, and which extensions it uses (Sections 1.2 to 1.4, 2.21)."""

from typing import Final, NamedTuple

from ikeref_model.events import Kind, Outcome

from ikeref import registry, wire
from ikeref.registry import EapCode, ExchangeType, NotifyType, PayloadType, ProtocolId

_OWN_OUTCOME: Final[dict[int, Outcome]] = {
    NotifyType.COOKIE: Outcome.COOKIE,
    NotifyType.INVALID_KE_PAYLOAD: Outcome.INVALID_KE_PAYLOAD,
    NotifyType.NO_ADDITIONAL_SAS: Outcome.NO_ADDITIONAL_SAS,
    NotifyType.TEMPORARY_FAILURE: Outcome.TEMPORARY_FAILURE,
    NotifyType.CHILD_SA_NOT_FOUND: Outcome.CHILD_SA_NOT_FOUND,
    NotifyType.AUTHENTICATION_FAILED: Outcome.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX: Outcome.INVALID_SYNTAX,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: Outcome.UNSUPPORTED_CRITICAL_PAYLOAD,
}

_EXTENSIONS: Final[dict[int, str]] = {
    NotifyType.UPDATE_SA_ADDRESSES: "MOBIKE (RFC 4555)",
    NotifyType.COOKIE2: "MOBIKE (RFC 4555)",
    NotifyType.NO_NATS_ALLOWED: "MOBIKE (RFC 4555)",
    NotifyType.AUTH_LIFETIME: "repeated authentication (RFC 4478)",
    NotifyType.ANOTHER_AUTH_FOLLOWS: "multiple authentication (RFC 4739)",
    NotifyType.REDIRECT: "REDIRECT (RFC 5685)",
    NotifyType.REDIRECTED_FROM: "REDIRECT (RFC 5685)",
    NotifyType.TICKET_REQUEST: "session resumption (RFC 5723)",
    NotifyType.TICKET_LT_OPAQUE: "session resumption (RFC 5723)",
    NotifyType.TICKET_OPAQUE: "session resumption (RFC 5723)",
    NotifyType.QUICK_CRASH_DETECTION: "quick crash detection (RFC 6290)",
    NotifyType.IKEV2_MESSAGE_ID_SYNC: "message ID synchronisation (RFC 6311)",
    NotifyType.IPSEC_REPLAY_COUNTER_SYNC: "message ID synchronisation (RFC 6311)",
    NotifyType.CLONE_IKE_SA: "IKE SA cloning (RFC 7791)",
    NotifyType.PUZZLE: "puzzles (RFC 8019)",
    NotifyType.PPK_IDENTITY: "PPK (RFC 8784)",
    NotifyType.NO_PPK_AUTH: "PPK (RFC 8784)",
    NotifyType.USE_PPK_INT: "PPK in IKE_INTERMEDIATE (RFC 9867)",
    NotifyType.PPK_IDENTITY_KEY: "PPK in IKE_INTERMEDIATE (RFC 9867)",
    NotifyType.ADDITIONAL_KEY_EXCHANGE: "multiple key exchanges (RFC 9370)",
}
"""Notifications by which an extension is in use, not merely announced."""

_EXCHANGES: Final[dict[int, str]] = {
    ExchangeType.IKE_SESSION_RESUME: "session resumption (RFC 5723)",
    ExchangeType.GSA_AUTH: "group keys (RFC 9838)",
    ExchangeType.GSA_REGISTRATION: "group keys (RFC 9838)",
    ExchangeType.GSA_REKEY: "group keys (RFC 9838)",
    ExchangeType.GSA_INBAND_REKEY: "group keys (RFC 9838)",
    ExchangeType.IKE_INTERMEDIATE: "IKE_INTERMEDIATE (RFC 9242)",
    ExchangeType.IKE_FOLLOWUP_KE: "multiple key exchanges (RFC 9370)",
}
TOLD_BY_TYPE: Final = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH)
"""Exchange types that say what a request asked for, even if there is only the response."""
FRAGMENTATION: Final = "fragmentation (RFC 7383)"
CHILDLESS: Final = "childless IKE SA (RFC 6023)"
EAP: Final = "EAP (Section 2.16)"


class Deletion(NamedTuple):
    """What a message deletes."""

    ike: bool
    spis: tuple[bytes, ...]
    """Of Child SAs, as its sender receives on them."""


class Offer(NamedTuple):
    """What an SA payload proposes or accepts."""

    protocol: int
    spis: tuple[bytes, ...]
    """Distinct SPIs of its proposals, in order."""
    by_number: tuple[tuple[int, bytes], ...]


def offer(message: wire.Message) -> Offer | None:
    """Of the first SA payload."""
    for payload in message.payloads:
        if isinstance(payload, wire.SA) and payload.proposals:
            numbered = tuple((each.number, each.spi) for each in payload.proposals)
            return Offer(payload.proposals[0].protocol_id, tuple(dict(numbered[::-1]).values())[::-1], numbered)
    return None


def deletion(message: wire.Message) -> Deletion:
    """Of all Delete payloads."""
    found = [each for each in message.payloads if isinstance(each, wire.D)]
    ike = any(each.protocol_id == ProtocolId.IKE for each in found)
    return Deletion(ike, tuple(spi for each in found if each.protocol_id != ProtocolId.IKE for spi in each.spis))


def notifications(message: wire.Message) -> tuple[wire.N, ...]:
    return tuple(each for each in message.payloads if isinstance(each, wire.N))


def rekeyed(message: wire.Message) -> bytes | None:
    """The SPI in REKEY_SA."""
    return next((each.spi for each in notifications(message) if each.type == NotifyType.REKEY_SA), None)


def nonce(message: wire.Message) -> bytes | None:
    return next((each.data for each in message.payloads if isinstance(each, wire.Nonce)), None)


def errors(message: wire.Message) -> tuple[int, ...]:
    """The error notifications in it (Section 3.10.1)."""
    return tuple(each.type for each in notifications(message) if each.type < registry.ERROR_LIMIT)


def has(message: wire.Message, kind: PayloadType) -> bool:
    return any(wire.payload_type(each) == kind for each in message.payloads)


def eap_code(message: wire.Message) -> int | None:
    """What the EAP message in it is; None if there is none."""
    for payload in message.payloads:
        if isinstance(payload, wire.EAP):
            return payload.data[0] if payload.data else 0
    return None


def eap_failed(message: wire.Message) -> bool:
    return eap_code(message) == EapCode.FAILURE


def one_way(message: wire.Message) -> bool:
    """An unprotected notification outside of an IKE SA (Section 1.5)."""
    alone = (NotifyType.INVALID_IKE_SPI, NotifyType.INVALID_MAJOR_VERSION, NotifyType.INVALID_SPI)
    return any(each.type in alone for each in notifications(message))


def kind_of(message: wire.Message) -> Kind | None:
    """What a request asks for; None for an exchange that the rows don't have."""
    match message.exchange_type:
        case ExchangeType.IKE_SA_INIT:
            return Kind.IKE_SA_INIT
        case ExchangeType.IKE_AUTH:
            return Kind.IKE_AUTH
        case ExchangeType.CREATE_CHILD_SA:
            if rekeyed(message) is not None:
                return Kind.REKEY_CHILD
            wanted = offer(message)
            return Kind.REKEY_IKE if wanted is not None and wanted.protocol == ProtocolId.IKE else Kind.CREATE_CHILD
        case ExchangeType.INFORMATIONAL:
            deleted = deletion(message)
            if deleted.ike:
                return Kind.DELETE_IKE
            return Kind.DELETE_CHILD if deleted.spis else Kind.LIVENESS
        case _:
            return None


def outcome_of(kind: Kind, message: wire.Message) -> Outcome:
    """What a response says to a request of that kind."""
    found = errors(message)
    cookie = kind is Kind.IKE_SA_INIT and any(each.type == NotifyType.COOKIE for each in notifications(message))
    if cookie and offer(message) is None:
        return Outcome.COOKIE
    if found:
        return next((_OWN_OUTCOME[each] for each in found if each in _OWN_OUTCOME), Outcome.REFUSED)
    match kind:
        case Kind.DELETE_CHILD:
            return Outcome.OK if deletion(message).spis else Outcome.EMPTY
        case Kind.DELETE_IKE:
            deleted = deletion(message)
            return Outcome.OK if deleted.ike or deleted.spis else Outcome.EMPTY
        case Kind.LIVENESS:
            return Outcome.OK
        case _:
            return Outcome.OK if offer(message) is not None else Outcome.REFUSED


def extensions(message: wire.Message) -> tuple[str, ...]:
    """What a message uses that is not judged in a capture, by name."""
    found = [_EXCHANGES.get(message.exchange_type, "")]
    if message.exchange_type not in (34, 35, 36, 37) and not found[0]:
        found.append(f"exchange type {message.exchange_type}")
    found += [_EXTENSIONS.get(each.type, "") for each in notifications(message)]
    if has(message, PayloadType.EAP):
        found.append(EAP)
    return tuple(dict.fromkeys(each for each in found if each))
