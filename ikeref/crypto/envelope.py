"""The Encrypted payload: closing and opening a message (Section 3.14, RFC 7383).

`protect` given the IV and the padding that `unprotect` found makes the same octets again. A message is opened only if
its ICV is right, and parsed inside only then. Padding is as short as can be, zeros, unless the caller wishes otherwise.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ikeref.crypto.provider import Provider, Suite
from ikeref.errors import InvalidSyntax, LocalProtocolError
from ikeref.registry import PayloadType
from ikeref.wire import SK, SKF, Message, Payload, decode, decode_payloads, encode, encode_payloads, first_type
from ikeref.wire.header import GENERIC_SIZE, HEADER_SIZE, new, pack_generic, pack_header

_SK = int(PayloadType.SK)
_ROOM = HEADER_SIZE + GENERIC_SIZE
_NUMBERS = 4
"""Octets of Fragment Number and Total Fragments."""
_PADDING = tuple(bytes(n) + bytes((n,)) for n in range(16))
"""The shortest paddings, Pad Length included."""


class Opened(NamedTuple):
    """A message whose ICV was right."""

    message: Message
    """Header fields, and the payloads from inside SK."""
    iv: bytes
    padding: bytes
    """The Padding field, without Pad Length."""
    outer: tuple[Payload, ...] = ()
    """Payloads in front of SK. Nobody sends any; the header's ICV covers them, but their contents were never secret."""
    flags: int = 0
    """The octet of the SK header with the Critical bit and the reserved bits."""


class Fragment(NamedTuple):
    """An Encrypted Fragment whose ICV was right (RFC 7383 section 2.5)."""

    message: Message
    """Header fields, and no payloads."""
    fragment_number: int
    total_fragments: int
    next_payload: int
    """In fragment 1 the type of the first payload inside, else 0."""
    content: bytes
    """This fragment's share of the encoded payloads."""
    iv: bytes = b""
    padding: bytes | None = None
    """None: as short as can be."""
    outer: tuple[Payload, ...] = ()
    flags: int = 0


def protect(
    provider: Provider,
    suite: Suite,
    sk_e: bytes,
    sk_a: bytes,
    message: Message,
    iv: bytes,
    padding: bytes | None = None,
    *,
    outer: tuple[Payload, ...] = (),
    flags: int = 0,
) -> bytes:
    """The datagram in which `message`'s payloads travel inside SK (Section 3.14).

    `sk_e` and `sk_a` are those of the sender's direction; `iv` must not recur with them but in an identical
    retransmission. Raises `LocalProtocolError` for padding that does not fit, or a message too long.
    """
    plaintext = _pad(provider, suite, encode_payloads(message.payloads), padding)
    size = len(iv) + len(plaintext) + provider.icv_size(suite)
    first = first_type(message.payloads)
    if outer or size + GENERIC_SIZE > 0xFFFF:
        prefix = _prefix(message, outer, SK(first, bytes(size), flags), size)
    else:
        spi_i, spi_r, exchange_type, header_flags, message_id, _, version, _ = message
        header = pack_header(spi_i, spi_r, _SK, version, exchange_type, header_flags, message_id, size + _ROOM)
        prefix = header + pack_generic(first, flags, size + GENERIC_SIZE)
    return prefix + provider.encrypt(suite, sk_e, sk_a, prefix, iv, plaintext)


def unprotect(
    provider: Provider, suite: Suite, sk_e: bytes, sk_a: bytes, datagram: bytes, message: Message | None = None
) -> Opened:
    """Open a datagram whose last payload is SK (Section 3.14).

    `sk_e` and `sk_a` are those of the sender's direction; `message` is the decoded datagram, if the caller has it
    already. Raises `Dropped` if the ICV is wrong (Section 2.21.4); then `InvalidSyntax` or `UnsupportedCriticalPayload`
    for what an authenticated peer got wrong inside (Section 2.21.3). `LocalProtocolError` if there is no SK.
    """
    if message is None:
        message = decode(datagram)
    closed = message.payloads[-1] if message.payloads else None
    if not isinstance(closed, SK):
        raise LocalProtocolError("the message has no Encrypted payload", section="3.14")
    prefix = datagram[: len(datagram) - len(closed.body)]
    iv, plaintext = provider.decrypt(suite, sk_e, sk_a, prefix, closed.body)
    end = _content_end(plaintext)
    payloads = decode_payloads(closed.next_payload, plaintext[:end], len(prefix) + len(iv))
    spi_i, spi_r, exchange_type, flags, message_id, outer, version, _ = message
    inner = new(Message, (spi_i, spi_r, exchange_type, flags, message_id, payloads, version, b""))
    return new(Opened, (inner, iv, plaintext[end:-1], outer[:-1], closed.flags))


def protect_fragment(
    provider: Provider,
    suite: Suite,
    sk_e: bytes,
    sk_a: bytes,
    fragment: Fragment,
) -> bytes:
    """The datagram of one Encrypted Fragment: IV and ICV of its own (RFC 7383 section 2.5, `7383-2.5-08`)."""
    plaintext = _pad(provider, suite, fragment.content, fragment.padding)
    size = len(fragment.iv) + len(plaintext) + provider.icv_size(suite)
    closed = SKF(fragment.next_payload, fragment.fragment_number, fragment.total_fragments, bytes(size), fragment.flags)
    prefix = _prefix(fragment.message, fragment.outer, closed, size)
    return prefix + provider.encrypt(suite, sk_e, sk_a, prefix, fragment.iv, plaintext)


def unprotect_fragment(
    provider: Provider, suite: Suite, sk_e: bytes, sk_a: bytes, datagram: bytes, message: Message | None = None
) -> Fragment:
    """Open a datagram whose last payload is SKF (RFC 7383 section 2.6). Raises what `unprotect` raises."""
    if message is None:
        message = decode(datagram)
    closed = message.payloads[-1] if message.payloads else None
    if not isinstance(closed, SKF):
        raise LocalProtocolError("the message has no Encrypted Fragment payload", section="RFC 7383 2.5")
    prefix = datagram[: len(datagram) - len(closed.body)]
    iv, plaintext = provider.decrypt(suite, sk_e, sk_a, prefix, closed.body)
    end = _content_end(plaintext)
    return Fragment(
        message._replace(payloads=()),
        closed.fragment_number,
        closed.total_fragments,
        closed.next_payload,
        plaintext[:end],
        iv,
        plaintext[end:-1],
        message.payloads[:-1],
        closed.flags,
    )


def cut(provider: Provider, suite: Suite, message: Message, size: int) -> tuple[Fragment, ...]:
    """The fragments, without IVs, in which a message goes if no datagram is to exceed `size` octets (RFC 7383 section
    2.5; `7383-2.5-02`, `7383-2.5-03`, `7383-2.5-04`, `7383-2.5-07`)."""
    content = encode_payloads(message.payloads)
    block = provider.block_size(suite)
    room = size - _ROOM - _NUMBERS - provider.iv_size(suite) - provider.icv_size(suite)
    share = max(room - room % block - 1, 1)
    total = -(-len(content) // share)
    head = message._replace(payloads=())
    first = first_type(message.payloads)
    return tuple(
        [
            Fragment(head, number + 1, total, 0 if number else first, content[number * share : (number + 1) * share])
            for number in range(total)
        ]
    )


def reassemble(fragments: Iterable[Fragment]) -> Message:
    """The message that a complete set of fragments carries, in whatever order they come (RFC 7383 section 2.6).

    Raises `LocalProtocolError` if the set is not complete, and what parsing raises.
    """
    parts = sorted(fragments, key=lambda fragment: fragment.fragment_number)
    total = parts[0].total_fragments if parts else 1
    if [(part.fragment_number, part.total_fragments) for part in parts] != [(n, total) for n in range(1, total + 1)]:
        raise LocalProtocolError("the set of fragments is not complete", section="RFC 7383 2.6")
    content = b"".join(part.content for part in parts)
    return parts[0].message._replace(payloads=decode_payloads(parts[0].next_payload, content))


def _prefix(message: Message, outer: tuple[Payload, ...], closed: SK | SKF, size: int) -> bytes:
    """Every octet in front of the IV: the encoding of the message with room for the rest, cut off again."""
    return encode(message._replace(payloads=(*outer, closed)))[:-size]


def _pad(provider: Provider, suite: Suite, content: bytes, padding: bytes | None) -> bytes:
    """Content, Padding and Pad Length: a multiple of the block size (Section 3.14)."""
    block = provider.block_size(suite)
    if padding is None:
        return content + _PADDING[-(len(content) + 1) % block]
    if len(padding) > 255 or (len(content) + len(padding) + 1) % block:
        raise LocalProtocolError(f"padding of {len(padding)} octets does not fit", section="3.14")
    return content + padding + bytes((len(padding),))


def _content_end(plaintext: bytes) -> int:
    """Where Padding starts."""
    end = len(plaintext) - 1 - plaintext[-1] if plaintext else -1
    if end < 0:
        raise InvalidSyntax("Pad Length is longer than what it pads", section="3.14", field="SK.Pad Length")
    return end
