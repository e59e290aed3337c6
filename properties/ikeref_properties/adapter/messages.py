"""What each message of the tested end must be, whatever it is about (Sections 2.1 to 2.3, 2.7, 2.9, 2.10, 3.1 to 3.14).

The rows say which message may be sent when; here is what holds for its octets and numbers.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from ikeref import wire
from ikeref.errors import RemoteProtocolError
from ikeref.policy import choice, selectors
from ikeref.registry import ExchangeType, NotifyType, TransformType, name
from ikeref.wire import KE, SA, SK, Message, Nonce, TSi, TSr
from ikeref_properties.capture import meaning
from ikeref_properties.capture.rules import Finding, Weight

_IV_OCTETS = 8
"""Of every counter-mode cipher; of a longer IV, the first 8 suffice to tell two apart."""
_UNPROTECTED = "7296-1.2-02"
_Kind = TypeVar("_Kind", SA, KE, Nonce, TSi, TSr)


class Violation(AssertionError):
    """A rule that does not hold."""

    def __init__(self, rule: str, finding: Finding) -> None:
        super().__init__(f"{finding.text} (Section {finding.section})")
        self.rule = rule
        """A short name; a run is shortened as long as the same rule is broken."""
        self.finding = finding
        """`finding.number` is that of the datagram, 0 if it is about none."""


def violation(rule: str, number: int, text: str, section: str, *requirements: str) -> Violation:
    """A violation shown by the datagram of that number."""
    return Violation(rule, Finding(Weight.VIOLATION, number, text, section, requirements))


class Use(NamedTuple):
    """The message that a nonce belongs to."""

    spi_i: bytes
    spi_r: bytes
    message_id: int
    is_response: bool


class Ledger:
    """What one end has sent so far: octets by number, nonces and IVs."""

    def __init__(self) -> None:
        self.sent: dict[tuple[bytes, bool, int], bytes] = {}
        """By the sender's SPI, whether it is a response, and Message ID."""
        self.nonces: dict[bytes, Use] = {}
        self.ivs: dict[tuple[bytes, bytes, bool, bytes], bytes] = {}

    def repeats(self, message: Message, octets: bytes) -> bool:
        """Whether it is a request that was sent before, octet for octet."""
        own_spi = message.spi_i if message.is_initiator else message.spi_r
        return not message.is_response and self.sent.get((own_spi, False, message.message_id)) == octets

    def again(self, message: Message, octets: bytes, number: int) -> bool:
        """Whether the same was sent before. Raises Violation if it was, with other octets (Section 2.1)."""
        own_spi = message.spi_i if message.is_initiator else message.spi_r
        key = (own_spi, message.is_response, message.message_id)
        before = self.sent.get(key)
        if before is None:
            self.sent[key] = octets
            return False
        if before == octets:
            return True
        if message.is_response:
            text = f"response {message.message_id} was sent before with other octets: a request is answered once, and "
            text += "then by the same response again"
            raise violation("one response", number, text, "2.1", "7296-2.1-04", "7296-2.1-06")
        text = f"request {message.message_id} was sent before with other octets: a retransmission is identical, and a "
        text += "new request has a new Message ID"
        raise violation("retransmission", number, text, "2.1", "7296-2.1-11", "7296-2.2-01", "7296-2.2-03")

    def over(self, message: Message) -> None:
        """A request may be sent with other octets: IKE_SA_INIT tried anew (Sections 1.2, 2.6)."""
        self.sent.pop((message.spi_i, False, message.message_id), None)

    def fresh(self, message: Message, octets: bytes, number: int) -> None:
        """Nonces and IVs are new. Raises Violation (Sections 2.10, 3.14)."""
        initial = message.exchange_type == ExchangeType.IKE_SA_INIT and not message.is_response
        use = Use(message.spi_i, b"" if initial else message.spi_r, message.message_id, message.is_response)
        nonce = first(message, Nonce)
        if nonce is not None and self.nonces.setdefault(nonce.data, use) != use:
            raise violation("nonces", number, "a nonce that was used before", "2.10", "7296-2.10-02", "7296-3.9-03")
        closed = _closed(octets)
        if closed is not None:
            key = (message.spi_i, message.spi_r, message.is_initiator, closed.body[:_IV_OCTETS])
            if self.ivs.setdefault(key, octets) != octets:
                raise violation("IVs", number, "an IV that was used before under this key", "3.14", "7296-3.14-09")


def first(message: Message, kind: type[_Kind]) -> _Kind | None:
    """The first payload of a kind."""
    return next((each for each in message.payloads if isinstance(each, kind)), None)


def _closed(octets: bytes) -> SK | None:
    payloads = wire.decode(octets).payloads
    last = payloads[-1] if payloads else None
    return last if isinstance(last, SK) else None


def check_form(message: Message, number: int) -> None:
    """What a sender has to mind and can be seen from the message alone, once it is open. Raises Violation."""
    if message.flags & ~(wire.FLAG_INITIATOR | wire.FLAG_RESPONSE):
        text = f"flags are {message.flags:#04x}: all but Initiator and Response are sent as zero"
        raise violation("flags", number, text, "3.1", "7296-3.1-21", "7296-3.1-26")
    if message.version != wire.VERSION:
        text = f"the version octet is {message.version:#04x}"
        raise violation("version", number, text, "3.1", "7296-3.1-13", "7296-3.1-16")
    for payload in message.payloads:
        if payload.flags and not isinstance(payload, wire.Unknown):
            text = f"the critical bit or a reserved bit of {wire.payload_name(payload)} is set"
            raise violation("critical bit", number, text, "3.2", "7296-3.2-08")
    for defect in wire.lint(wire.encode(message)):
        if defect.requirement != _UNPROTECTED:  # its payloads were inside SK
            ids = (defect.requirement,) if defect.requirement else ()
            raise violation(f"form of {defect.field}", number, defect.reason, defect.section, *ids)


def check_answer(request: Message, response: Message, number: int) -> None:
    """Whether a response fits its request. Raises Violation (Sections 1.4.1, 2.2, 2.3, 2.7, 2.9, 3.1, 3.3.6)."""
    if (request.message_id, request.spi_i) != (response.message_id, response.spi_i):
        text = f"a response with Message ID {response.message_id} to request {request.message_id}"
        raise violation("what is answered", number, text, "2.2", "7296-2.2-06")
    if request.exchange_type != response.exchange_type:
        kinds = [name(ExchangeType, each.exchange_type) for each in (response, request)]
        text = f"a response of {kinds[0]} to a request of {kinds[1]}"
        raise violation("what is answered", number, text, "3.1", "7296-3.1-18", "7296-2.2-06")
    if request.is_initiator == response.is_initiator:
        text = "the Initiator flag of a response is that of the request: it tells the original initiator, who is not "
        raise violation("Initiator flag", number, text + "at both ends", "3.1", "7296-3.1-29", "7296-2.2-08")
    found = meaning.errors(response)
    if NotifyType.INVALID_MESSAGE_ID in found:
        text = "INVALID_MESSAGE_ID in a response"
        raise violation("INVALID_MESSAGE_ID", number, text, "2.3", "7296-2.3-15", "7296-2.3-17")
    if not found:
        _check_choice(request, response, number)
        _check_selectors(request, response, number)


def _check_choice(request: Message, response: Message, number: int) -> None:
    offer, answer = first(request, SA), first(response, SA)
    if offer is None or answer is None:
        return
    try:
        chosen = choice.verify_choice(offer.proposals, answer.proposals)
    except RemoteProtocolError as error:
        raise violation(
            "choice", number, f"no choice from the offer: {error.reason}", "3.3.6", "7296-3.3.6-05"
        ) from None
    groups = [each.id for each in chosen.transforms if each.type == TransformType.KE and each.id]
    public = first(response, KE)
    if groups != ([] if public is None else [public.group]) and request.exchange_type != ExchangeType.IKE_AUTH:
        text = f"the chosen key exchange groups are {groups}, KEr has {public.group if public else 'none'}"
        raise violation("choice", number, text, "1.3.1", "7296-1.3.1-03")


def _check_selectors(request: Message, response: Message, number: int) -> None:
    pairs = (first(request, TSi), first(response, TSi)), (first(request, TSr), first(response, TSr))
    for offered, given in pairs:
        if offered is None or given is None:
            continue
        if not given.selectors or not selectors.is_within(given.selectors, offered.selectors):
            text = f"{wire.payload_name(given)} of the response is not within that of the request"
            raise violation("narrowing", number, text, "2.9", "7296-2.9-05")


def spis_of(message: Message) -> Iterator[bytes]:
    """The SPIs in the SA payload of a message, each once."""
    wanted = meaning.offer(message)
    yield from wanted.spis if wanted is not None else ()
