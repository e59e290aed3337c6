"""A whole IKE message: header and payloads (Sections 3.1 and 3.2)."""

import struct
from typing import NamedTuple

from ikeref.errors import LocalProtocolError
from ikeref.wire.encrypted import SK, SKF
from ikeref.wire.header import (
    FLAG_INITIATOR,
    FLAG_RESPONSE,
    HEADER_SIZE,
    NO_SPI,
    VERSION,
    new,
    pack_header,
    peek,
    refuse_header,
    unpack_header,
)
from ikeref.wire.payloads import Payload, decode_chain, encode_chain, first_type, trailing_octets


class Message(NamedTuple):
    """An IKE message. Next Payload and Length of the header are derived when it is encoded (Section 3.1)."""

    spi_i: bytes
    """SPIi, 8 octets."""
    spi_r: bytes
    """SPIr, 8 octets, zeros where it is not known yet."""
    exchange_type: int
    flags: int
    """The whole octet, reserved bits included."""
    message_id: int
    payloads: tuple[Payload, ...]
    version: int = VERSION
    """The whole octet; a receiver ignores the minor version (7296-2.5-02)."""
    trailing: bytes = b""
    """Up to three zeros that fill the message up to a multiple of four octets: not IKEv2, but tolerated."""

    @property
    def is_response(self) -> bool:
        return self.flags & FLAG_RESPONSE != 0

    @property
    def is_initiator(self) -> bool:
        """True when the original initiator of the IKE SA sent it (Section 3.1, the I flag)."""
        return self.flags & FLAG_INITIATOR != 0


def decode(datagram: bytes) -> Message:
    """The message in `datagram`, which starts with the IKE header (on port 4500: after the non-ESP marker).

    Errors: `Dropped` for what is to be discarded in silence, `InvalidMajorVersion`, `InvalidSyntax`,
    `UnsupportedCriticalPayload`; each with offset, field, section and reason. Nothing else is ever raised.
    Sections 2.5, 3.1 and 3.2.
    """
    if len(datagram) < HEADER_SIZE:
        peek(datagram)
    spi_i, spi_r, next_payload, version, exchange_type, flags, message_id, length = unpack_header(datagram)
    if version >> 4 != 2 or spi_i == NO_SPI or length != len(datagram):
        refuse_header(peek(datagram), len(datagram))
    payloads, end = decode_chain(next_payload, datagram, HEADER_SIZE)
    trailing = b"" if end == length else _alignment(datagram, end, payloads)
    return new(Message, (spi_i, spi_r, exchange_type, flags, message_id, payloads, version, trailing))


def _alignment(datagram: bytes, end: int, payloads: tuple[Payload, ...]) -> bytes:
    """The octets after the last payload, if they are the alignment that IKEv1 knew (RFC 2408).

    Openswan's IKEv2 still sends it; AUTH covers it like all of the message. Behind SK there is none (Section 3.14).
    Errors: `InvalidSyntax`.
    """
    trailing = datagram[end:]
    if len(trailing) > 3 or len(datagram) % 4 or any(trailing) or (payloads and isinstance(payloads[-1], (SK, SKF))):
        raise trailing_octets(datagram, end)
    return trailing


def encode(message: Message) -> bytes:
    """The datagram of `message`: for what `decode` accepted, the very same octets.

    Errors: `LocalProtocolError` when a value does not fit its field, or when SK or SKF is not the last payload.
    Sections 3.1 and 3.2.
    """
    spi_i, spi_r, exchange_type, flags, message_id, payloads, version, trailing = message
    if len(spi_i) != 8 or len(spi_r) != 8:
        raise LocalProtocolError("an IKE SPI has 8 octets", section="3.1", offset=0, field="Header")
    try:
        body = b"".join(encode_chain(payloads)) + trailing
        following = first_type(payloads)
        length = HEADER_SIZE + len(body)
        header = pack_header(spi_i, spi_r, following, version, exchange_type, flags, message_id, length)
    except (struct.error, OverflowError) as error:
        raise LocalProtocolError(f"a value does not fit its field: {error}", section="3.1") from None
    return header + body
