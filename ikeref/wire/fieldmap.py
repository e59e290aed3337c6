"""The field map: which octets of a datagram are which field of which figure (Sections 3.1 to 3.16).

It is a second pass for people, made only when asked for, and it goes on where the decoder stops: behind a defect it
names what can still be told apart. Its fields cover every octet exactly once, in order.
"""

from contextlib import suppress
from typing import NamedTuple

from ikeref.errors import ProtocolError
from ikeref.registry import ExchangeType, PayloadType
from ikeref.wire.cursor import NOT_DECODED, Cursor, Field, Short
from ikeref.wire.encrypted import SK
from ikeref.wire.figures import FIGURES, Figure, bits, fragment_numbers, named, opaque
from ikeref.wire.header import CRITICAL, FLAG_INITIATOR, FLAG_RESPONSE, FLAG_VERSION, GENERIC_SIZE
from ikeref.wire.message import decode
from ikeref.wire.payloads import TRAILING, decode_payloads, path_of

_UNKNOWN = Figure("2.5", opaque)
_next_payload = named(PayloadType)


class Opened(NamedTuple):
    """What was inside SK or SKF once it was decrypted: it stands where the ciphertext stood, octet for octet."""

    plaintext: bytes
    """Payloads, Padding and Pad Length."""
    iv_size: int
    """Octets of the Initialization Vector in front of it."""


class Explanation(NamedTuple):
    """What stands in a datagram, and the first thing that is wrong with it."""

    fields: tuple[Field, ...]
    error: ProtocolError | None


def explain(datagram: bytes, opened: Opened | None = None) -> Explanation:
    """The fields of `datagram`, and the error that decoding it raises, if any. Never raises.

    With `opened`, the payloads inside SK count too.
    """
    error: ProtocolError | None = None
    try:
        message = decode(datagram)
        if opened is not None and message.payloads and isinstance(message.payloads[-1], SK):
            _decode_inside(message.payloads[-1], opened, len(datagram))
    except ProtocolError as found:
        error = found
    return Explanation(fields(datagram, opened), error)


def _decode_inside(sk: SK, opened: Opened, size: int) -> None:
    """Raise what is wrong with the payloads inside the last payload of a datagram of `size` octets."""
    payloads_size = max(0, len(opened.plaintext) - 1 - (opened.plaintext[-1] if opened.plaintext else 0))
    decode_payloads(sk.next_payload, opened.plaintext[:payloads_size], size - len(sk.body) + opened.iv_size)


def fields(datagram: bytes, opened: Opened | None = None) -> tuple[Field, ...]:
    """The fields of `datagram`, which starts with the IKE header; with `opened`, those inside SK as well.

    They cover each octet exactly once, in order, whatever the octets are. Never raises.
    """
    drawn: list[Field] = []
    cursor = Cursor(datagram, 0, len(datagram), "Header", "3.1", drawn)
    with suppress(Short):
        version, next_payload = _header(cursor)
        if version >> 4 == 2:
            _chain(cursor, next_payload, opened)
    cursor.path = ""
    cursor.rest(NOT_DECODED)
    return tuple(drawn)


def payload_fields(first_type: int, octets: bytes) -> tuple[Field, ...]:
    """The fields of a chain of payloads that stands alone, such as one put together from fragments. Never raises."""
    drawn: list[Field] = []
    _chain(Cursor(octets, 0, len(octets), "", "3.2", drawn), first_type, None)
    return tuple(drawn)


def _header(cursor: Cursor) -> tuple[int, int]:
    """Version and Next Payload of the IKE header, drawn (Section 3.1)."""
    cursor.take("IKE SA Initiator's SPI", 8)
    cursor.take("IKE SA Responder's SPI", 8)
    next_payload = cursor.number("Next Payload", 1, _next_payload)
    version = cursor.number("Version", 1, lambda octet: f"{octet >> 4}.{octet & 15}")
    cursor.number("Exchange Type", 1, named(ExchangeType))
    cursor.number("Flags", 1, _flags)
    cursor.number("Message ID", 4)
    cursor.number("Length", 4)
    return version, next_payload


def _flags(octet: int) -> str:
    words = [
        word
        for flag, word in ((FLAG_RESPONSE, "Response"), (FLAG_VERSION, "Version"), (FLAG_INITIATOR, "Initiator"))
        if octet & flag
    ]
    return f"0x{octet:02x}" + (f" ({', '.join(words)})" if words else "")


def _chain(cursor: Cursor, kind: int, opened: Opened | None) -> None:
    """Every payload from the cursor on, and what follows the last (Section 3.2)."""
    cursor.path, cursor.section = "", "3.2"
    while kind and cursor.left:
        next_kind = cursor.ahead(0, 1)
        size = cursor.ahead(2, 2)
        path = path_of(kind, cursor.octets[: cursor.stop], cursor.position)
        figure = FIGURES.get(kind, _UNKNOWN)
        if kind in (PayloadType.SK, PayloadType.SKF):
            inside = opened, next_kind
            next_kind = 0
        else:
            inside = None, 0

        def draw(part: Cursor, figure: Figure = figure, inside: tuple[Opened | None, int] = inside) -> None:
            _generic_header(part)
            part.section = figure.section
            if inside[0] is None:
                figure.draw(part)
            else:
                _open(part, inside[0], inside[1])

        if not cursor.within(max(size, GENERIC_SIZE), path, "3.2", draw) or size < GENERIC_SIZE:
            cursor.rest(NOT_DECODED)
        kind = next_kind
    cursor.rest(TRAILING)


def _generic_header(cursor: Cursor) -> None:
    cursor.number("Next Payload", 1, _next_payload)
    cursor.number("Critical", 1, lambda octet: f"{octet >> 7}, reserved {bits(1)(octet & ~CRITICAL)}")
    cursor.number("Payload Length", 2)


def _open(cursor: Cursor, opened: Opened, next_payload: int) -> None:
    """The rest of SK or SKF with the plaintext in the place of the ciphertext (Section 3.14, RFC 7383 section 2.5)."""
    fragment = cursor.path == "SKF"
    if fragment:
        fragment_numbers(cursor)
    cursor.take("Initialization Vector", opened.iv_size)
    size = min(len(opened.plaintext), cursor.left)
    start, stop = cursor.position, cursor.position + size
    pad_length = opened.plaintext[size - 1] if size else 0
    # The ciphertext's octets give way to the plaintext's, so that positions stay those of the datagram.
    cursor.octets = cursor.octets[:start] + opened.plaintext[:size] + cursor.octets[stop:]
    payloads_stop = max(start, stop - 1 - pad_length)
    if fragment:
        cursor.take("Fragment of the payloads", payloads_stop - start)
    else:
        _chain(Cursor(cursor.octets, start, payloads_stop, "", "3.2", cursor.fields), next_payload, None)
        cursor.position = payloads_stop
    cursor.take("Padding", max(0, stop - 1 - payloads_stop))
    if size:
        cursor.number("Pad Length", 1)
    cursor.rest("Integrity Checksum Data")
