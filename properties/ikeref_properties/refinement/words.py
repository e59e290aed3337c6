"""From messages to the model's words: what a request asks for and what a response says (Sections 1.2 to 1.4)."""

from ikeref_model.events import Kind, Outcome

from ikeref.registry import EapCode, ExchangeType, NotifyType, PayloadType, ProtocolId
from ikeref.wire import AUTH, EAP, KE, SA, D, Message, N, Nonce, Payload, peek

_FIRST_STATUS = 16384
_OUTCOMES = {
    NotifyType.INVALID_SYNTAX: Outcome.INVALID_SYNTAX,
    NotifyType.INVALID_KE_PAYLOAD: Outcome.INVALID_KE_PAYLOAD,
    NotifyType.AUTHENTICATION_FAILED: Outcome.AUTHENTICATION_FAILED,
    NotifyType.NO_ADDITIONAL_SAS: Outcome.NO_ADDITIONAL_SAS,
    NotifyType.TEMPORARY_FAILURE: Outcome.TEMPORARY_FAILURE,
    NotifyType.CHILD_SA_NOT_FOUND: Outcome.CHILD_SA_NOT_FOUND,
    NotifyType.INVALID_MESSAGE_ID: Outcome.INVALID_MESSAGE_ID,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: Outcome.UNSUPPORTED_CRITICAL_PAYLOAD,
}
_EAP: dict[int, Outcome] = {EapCode.SUCCESS: Outcome.EAP_SUCCESS, EapCode.FAILURE: Outcome.EAP_FAILURE}
_REPORTS = (
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
)


def kind_of(request: Message) -> Kind:
    """What a request asks for; an exchange type that nobody knows counts as a liveness check."""
    match request.exchange_type:
        case ExchangeType.IKE_SA_INIT:
            return Kind.IKE_SA_INIT
        case ExchangeType.IKE_AUTH:
            return Kind.IKE_AUTH
        case ExchangeType.CREATE_CHILD_SA:
            if rekeyed_spi(request) is not None:
                return Kind.REKEY_CHILD
            offers = [payload for payload in request.payloads if type(payload) is SA]
            to_ike = any(p.protocol_id == ProtocolId.IKE for offer in offers for p in offer.proposals)
            return Kind.REKEY_IKE if to_ike else Kind.CREATE_CHILD
        case _:
            deletes = [payload for payload in request.payloads if type(payload) is D]
            if any(delete.protocol_id == ProtocolId.IKE for delete in deletes):
                return Kind.DELETE_IKE
            return Kind.DELETE_CHILD if deletes else Kind.LIVENESS


def outcome_of(kind: Kind, response: Message) -> Outcome:
    """What a response to a request of that kind says."""
    payloads = response.payloads
    for payload in payloads:
        if type(payload) is N and payload.type < _FIRST_STATUS:
            return _OUTCOMES.get(NotifyType(payload.type), Outcome.REFUSED) if _known(payload.type) else Outcome.REFUSED
    has_sa = any(type(payload) is SA for payload in payloads)
    match kind:
        case Kind.IKE_AUTH if (code := eap_code(response)) is not None:
            return _EAP.get(code, Outcome.EAP)
        case Kind.IKE_SA_INIT if not has_sa and any(type(p) is N and p.type == NotifyType.COOKIE for p in payloads):
            return Outcome.COOKIE
        case Kind.IKE_AUTH if not has_sa:
            return Outcome.REFUSED
        case Kind.DELETE_CHILD if not deleted_spis(response):
            return Outcome.EMPTY
        case Kind.DELETE_IKE:
            return Outcome.EMPTY
        case _:
            return Outcome.OK


def _known(notify: int) -> bool:
    return notify in NotifyType._value2member_map_


def rekeyed_spi(request: Message) -> bytes | None:
    """The SPI in REKEY_SA, None where there is none (Section 1.3.3)."""
    for payload in request.payloads:
        if type(payload) is N and payload.type == NotifyType.REKEY_SA:
            return payload.spi
    return None


def deleted_spis(message: Message) -> tuple[bytes, ...]:
    """The SPIs of ESP and AH SAs in Delete payloads, as their sender receives on them (Section 1.4.1)."""
    deletes = [payload for payload in message.payloads if type(payload) is D]
    return tuple(spi for delete in deletes if delete.protocol_id != ProtocolId.IKE for spi in delete.spis)


def made_spi(message: Message) -> bytes:
    """The SPI of what an answer says was created, as its sender receives on it; empty where it says nothing."""
    offers = [payload.proposals for payload in message.payloads if type(payload) is SA]
    return next((proposal.spi for proposals in offers for proposal in proposals), b"")


def nonce_of(message: Message) -> bytes:
    """The data of the nonce payload, empty where there is none."""
    return next((payload.data for payload in message.payloads if type(payload) is Nonce), b"")


def has_auth(message: Message) -> bool:
    """Whether there is an AUTH payload."""
    return any(type(payload) is AUTH for payload in message.payloads)


def eap_code(message: Message) -> int | None:
    """The code of the EAP message (Section 2.16), None where there is none."""
    return next((payload.data[0] for payload in message.payloads if type(payload) is EAP and payload.data), None)


def asks_for_eap_alone(request: Message) -> bool:
    """Whether the initiator wants no other proof than EAP's (RFC 5998 section 3)."""
    return any(type(each) is N and each.type == NotifyType.EAP_ONLY_AUTHENTICATION for each in request.payloads)


def group_offered(request: Message, response: Message) -> bool:
    """Whether the group that INVALID_KE_PAYLOAD names was offered, and was not the one just used (Section 1.2)."""
    wanted = next(p for p in response.payloads if type(p) is N and p.type == NotifyType.INVALID_KE_PAYLOAD)
    group = int.from_bytes(wanted.data, "big")
    used = [payload.group for payload in request.payloads if type(payload) is KE]
    return group not in used and group in _groups(request.payloads)


def _groups(payloads: tuple[Payload, ...]) -> set[int]:
    key_exchange = 4
    return {
        transform.id
        for payload in payloads
        if type(payload) is SA
        for proposal in payload.proposals
        for transform in proposal.transforms
        if transform.type == key_exchange
    }


def window_size(message: Message) -> int:
    """What SET_WINDOW_SIZE says; 0 where there is none, or one without sense (Section 2.3)."""
    for payload in message.payloads:
        if type(payload) is N and payload.type == NotifyType.SET_WINDOW_SIZE and len(payload.data) == 4:
            return int.from_bytes(payload.data, "big")
    return 0


def is_protected(datagram: bytes, encapsulated: bool) -> bool:
    """Whether a datagram has an SK payload; only IKE_SA_INIT and answers outside of any IKE SA have none."""
    header = peek(datagram[4:] if encapsulated else datagram)
    return header.next_payload in (PayloadType.SK, PayloadType.SKF)


def says_initial_contact(message: Message) -> bool:
    """Whether IKE_AUTH says that the peer has no other IKE SA with us (Section 2.4)."""
    said = any(type(payload) is N and payload.type == NotifyType.INITIAL_CONTACT for payload in message.payloads)
    return said and message.exchange_type == ExchangeType.IKE_AUTH


def reports_failure(request: Message) -> bool:
    """Whether an INFORMATIONAL request says that IKE_AUTH failed (Section 2.21.2)."""
    return any(type(payload) is N and payload.type in _REPORTS for payload in request.payloads)
