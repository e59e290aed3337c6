"""The chain of payloads: which decoder and which encoder belongs to which payload type (Sections 2.5 and 3.2)."""

import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ikeref.errors import InvalidSyntax, LocalProtocolError, ProtocolError, UnsupportedCriticalPayload
from ikeref.registry import NotifyType, PayloadType, name
from ikeref.wire.auth import AUTH, decode_auth, encode_auth
from ikeref.wire.certificates import CERT, CERTREQ, decode_cert, decode_certreq, encode_cert
from ikeref.wire.cp import CP, decode_cp, encode_cp
from ikeref.wire.delete import D, decode_delete, encode_delete
from ikeref.wire.eap import EAP, decode_eap, encode_eap
from ikeref.wire.encrypted import SK, SKF, decode_sk, decode_skf, encode_sk, encode_skf
from ikeref.wire.header import CRITICAL, GENERIC_SIZE, HEADER_SIZE, pack_generic, unpack_generic
from ikeref.wire.identification import IDi, IDr, decode_idi, decode_idr, encode_id
from ikeref.wire.ke import KE, decode_ke, encode_ke
from ikeref.wire.nonce import Nonce, decode_nonce, encode_nonce
from ikeref.wire.notify import N, decode_notify, encode_notify
from ikeref.wire.sa import SA, decode_sa, encode_sa
from ikeref.wire.ts import TSi, TSr, decode_tsi, decode_tsr, encode_ts
from ikeref.wire.vendor import Unknown, V, decode_vendor, encode_opaque

TRAILING: Final = "Trailing octets"
"""Path of what follows the last payload."""

Payload: TypeAlias = (
    SA | KE | IDi | IDr | CERT | CERTREQ | AUTH | Nonce | N | D | V | TSi | TSr | SK | SKF | CP | EAP | Unknown
)

_DECODERS: Final[dict[int, Callable[[bytes, int, int, int], Payload]]] = {
    33: decode_sa,
    34: decode_ke,
    35: decode_idi,
    36: decode_idr,
    37: decode_cert,
    38: decode_certreq,
    39: decode_auth,
    40: decode_nonce,
    41: decode_notify,
    42: decode_delete,
    43: decode_vendor,
    44: decode_tsi,
    45: decode_tsr,
    47: decode_cp,
    48: decode_eap,
}
"""By payload type (Section 3.2). Each decoder takes the octets, start and stop of its body, and the flags octet."""

_CLOSING: Final[dict[int, Callable[[bytes, int, int, int, int], SK | SKF]]] = {46: decode_sk, 53: decode_skf}
"""The payloads that end a message: their Next Payload tells what is inside (Section 3.14, RFC 7383 section 2.5)."""

# A payload is encoded by its own class, which a type checker can't see through a table: hence Any.
_ENCODERS: Final[dict[type[Any], tuple[int, Callable[[Any], bytes]]]] = {
    SA: (33, encode_sa),
    KE: (34, encode_ke),
    IDi: (35, encode_id),
    IDr: (36, encode_id),
    CERT: (37, encode_cert),
    CERTREQ: (38, encode_cert),
    AUTH: (39, encode_auth),
    Nonce: (40, encode_nonce),
    N: (41, encode_notify),
    D: (42, encode_delete),
    V: (43, encode_opaque),
    TSi: (44, encode_ts),
    TSr: (45, encode_ts),
    SK: (46, encode_sk),
    CP: (47, encode_cp),
    EAP: (48, encode_eap),
    SKF: (53, encode_skf),
    Unknown: (0, encode_opaque),
}

_NAMING_NEXT: Final = (0, 46, 53)
"""What `_ENCODERS` gives for those classes that have a Next Payload of their own."""


def decode_payloads(first_type: int, octets: bytes, offset: int = 0) -> tuple[Payload, ...]:
    """The payloads inside SK: `octets` is the plaintext without padding, `offset` where it stands in the message.

    Errors: `InvalidSyntax`, `UnsupportedCriticalPayload`; their offset counts from the start of the message.
    Sections 3.2 and 3.14.
    """
    try:
        payloads, end = decode_chain(first_type, octets, 0)
        if end != len(octets):
            raise trailing_octets(octets, end)
        if payloads and isinstance(payloads[-1], (SK, SKF)):
            raise InvalidSyntax(
                "an encrypted payload stands inside another",
                section="3.14",
                offset=len(octets) - len(encode_payloads(payloads[-1:])),
                field=f"{payload_name(payloads[-1])}.Next Payload",
            )
    except ProtocolError as error:
        error.offset += offset
        raise
    return payloads


def decode_chain(first_type: int, octets: bytes, begin: int) -> tuple[tuple[Payload, ...], int]:
    """The payloads from `begin` on, and where the last of them ends. Errors: as `decode_payloads`. Section 3.2."""
    payloads: list[Payload] = []
    position = begin
    size = len(octets)
    kind = first_type
    while kind:
        start = position + GENERIC_SIZE
        if start > size:
            raise _nothing_follows(first_type, octets, begin, position, kind)
        next_kind, flags, length = unpack_generic(octets, position)
        stop = position + length
        if length < GENERIC_SIZE or stop > size:
            raise InvalidSyntax(
                f"Payload Length {length} does not fit: {size - position} octets are left",
                section="3.2",
                offset=position + 2,
                field=f"{path_of(kind, octets, position)}.Payload Length",
            )
        decoder = _DECODERS.get(kind)
        if decoder is not None:
            payloads.append(decoder(octets, start, stop, flags))
        elif kind in _CLOSING:
            payloads.append(_CLOSING[kind](octets, start, stop, flags, next_kind))
            next_kind = 0
        elif flags & CRITICAL:
            raise UnsupportedCriticalPayload(
                f"payload type {kind} is unknown, and critical",
                section="2.5",
                offset=position + 1,
                field=f"{type_name(kind)}.Critical",
                data=kind.to_bytes(1, "big"),
            )
        elif next_kind and stop == size:
            # It may say what is inside it, as SK and SKF do: who doesn't know them sees the same.
            payloads.append(Unknown(kind, octets[start:stop], flags, next_kind))
            next_kind = 0
        else:
            payloads.append(Unknown(kind, octets[start:stop], flags))
        kind = next_kind
        position = stop
    return tuple(payloads), position


def trailing_octets(octets: bytes, position: int) -> InvalidSyntax:
    """The error of octets that follow the last payload (Section 3.2)."""
    reason = f"{len(octets) - position} octets follow the last payload"
    return InvalidSyntax(reason, section="3.2", offset=position, field=TRAILING)


def _nothing_follows(first_type: int, octets: bytes, begin: int, position: int, kind: int) -> InvalidSyntax:
    """The error of a chain that announces payload type `kind` at `position`, where no payload header fits."""
    if position < len(octets):
        reason = f"{len(octets) - position} octets are too few for a payload header"
        field = f"{path_of(kind, octets, position)}.Next Payload"
        return InvalidSyntax(reason, section="3.2", offset=position, field=field)
    # The field that announced it is to blame. The payloads before it are sound: walk them again to the last.
    if begin == position:
        at, last = (16, "Header") if begin == HEADER_SIZE else (begin, "SK")
    else:
        at, last, next_kind = begin, path_of(first_type, octets, begin), octets[begin]
        while (following := at + int.from_bytes(octets[at + 2 : at + 4], "big")) < position:
            at, last, next_kind = following, path_of(next_kind, octets, following), octets[following]
    reason = f"Next Payload announces payload type {kind}, and nothing follows"
    return InvalidSyntax(reason, section="3.2", offset=at, field=f"{last}.Next Payload")


def encode_payloads(payloads: tuple[Payload, ...]) -> bytes:
    """The chain of `payloads`, the last with Next Payload 0 (or what is inside SK or SKF). Section 3.2.

    Errors: `LocalProtocolError` when a value does not fit its field.
    """
    try:
        return b"".join(encode_chain(payloads))
    except (struct.error, OverflowError) as error:
        raise LocalProtocolError(f"a value does not fit its field: {error}", section="3.2") from None


def encode_chain(payloads: tuple[Payload, ...]) -> list[bytes]:
    """The octets of each of `payloads`, header and body; Next Payload and Payload Length are derived. Section 3.2.

    Errors: `LocalProtocolError` when SK or SKF is not the last; struct.error or OverflowError for a value out of range.
    """
    parts: list[bytes] = []
    following = 0
    for payload in reversed(payloads):
        kind, encoder = _ENCODERS[type(payload)]
        if kind in _NAMING_NEXT:
            if isinstance(payload, Unknown):
                kind = payload.type
                following = following if parts else payload.next_payload
            elif isinstance(payload, (SK, SKF)):
                if parts:
                    raise LocalProtocolError("only the last payload may be encrypted", section="3.14", field="SK")
                following = payload.next_payload
        body = encoder(payload)
        parts.append(pack_generic(following, payload.flags, GENERIC_SIZE + len(body)) + body)
        following = kind
    parts.reverse()
    return parts


def payload_type(payload: Payload) -> int:
    """The number of a payload's type (Section 3.2)."""
    return payload.type if isinstance(payload, Unknown) else _ENCODERS[type(payload)][0]


def payload_name(payload: Payload) -> str:
    """The payload's name for a person: "SA", "N(COOKIE)", or the digits of an unknown type."""
    if isinstance(payload, N):
        return f"N({name(NotifyType, payload.type)})"
    return type_name(payload_type(payload))


def path_of(kind: int, octets: bytes, position: int) -> str:
    """What error and field paths call the payload of type `kind` whose generic header is at `position`."""
    size = min(int.from_bytes(octets[position + 2 : position + 4], "big"), len(octets) - position)
    if kind == PayloadType.N and size >= 8:
        return f"N({name(NotifyType, int.from_bytes(octets[position + 6 : position + 8], 'big'))})"
    return type_name(kind)


def type_name(kind: int) -> str:
    """The name of a payload type, or its digits."""
    return name(PayloadType, kind)


def first_type(payloads: tuple[Payload, ...]) -> int:
    """What Next Payload says in front of `payloads`: 0 when there are none. Section 3.2."""
    return payload_type(payloads[0]) if payloads else 0
