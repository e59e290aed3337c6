"""Octets of the foreign implementation: payloads, proposals, selectors, key derivation; nothing of ikeref's."""

import hmac
import struct
from collections.abc import Iterator

SA, KE, IDI, IDR, AUTH, NONCE, NOTIFY, DELETE, TSI, TSR, SK = 33, 34, 35, 36, 39, 40, 41, 42, 44, 45, 46
INIT, IKE_AUTH, CREATE, INFO = 34, 35, 36, 37
IKE, ESP = 1, 3
NO_PROPOSAL, BAD_KE, BAD_AUTH, TS_BAD, NO_MORE, CRITICAL = 14, 17, 24, 38, 35, 1
TEMPORARY, NOT_FOUND, COOKIE, REKEY = 43, 44, 16390, 16393
GROUP = 31
WANTED = {IKE: {(1, 20, 256), (2, 5, 0), (4, GROUP, 0)}, ESP: {(1, 20, 256), (5, 0, 0)}}
Payloads = list[tuple[int, bytes]]


def prf(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def prf_plus(key: bytes, seed: bytes, size: int) -> bytes:
    out = block = b""
    for count in range(1, 256):
        block = prf(key, block + seed + bytes((count,)))
        out += block
        if len(out) >= size:
            break
    return out[:size]


def chain(payloads: Payloads) -> bytes:
    types = [each[0] for each in payloads[1:]] + [0]
    return b"".join(struct.pack("!BBH", t, 0, len(b) + 4) + b for t, (_, b) in zip(types, payloads))


def unchain(kind: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    while kind:
        following, critical, size = struct.unpack_from("!BBH", data)
        if size < 4 or size > len(data):
            raise ValueError("payload length")
        if critical & 0x80 and not 33 <= kind <= 48:
            raise UnknownCritical(kind)
        yield kind, data[4:size]
        kind, data = following, data[size:]


class UnknownCritical(Exception):
    pass


def proposal(protocol: int, spi: bytes, number: int = 1) -> bytes:
    parts = sorted(WANTED[protocol])
    body = b""
    for index, (kind, ident, bits) in enumerate(parts):
        attribute = struct.pack("!HH", 0x800E, bits) if bits else b""
        more = 3 if index < len(parts) - 1 else 0
        body += struct.pack("!BxHBxH", more, 8 + len(attribute), kind, ident) + attribute
    return struct.pack("!BxHBBBB", 0, 8 + len(spi) + len(body), number, protocol, len(spi), len(parts)) + spi + body


def choose(data: bytes, protocol: int) -> tuple[int, bytes] | None:
    """Number and SPI of the first proposal that has all we want."""
    while data:
        _, size, number, proto, spi_size, _ = struct.unpack_from("!BxHBBBB", data)
        spi, rest, found = data[8 : 8 + spi_size], data[8 + spi_size : size], set()
        while rest:
            _, length, kind, ident = struct.unpack_from("!BxHBxH", rest)
            bits = struct.unpack_from("!HH", rest, 8)[1] if length >= 12 else 0
            found.add((kind, ident, bits))
            rest = rest[length:]
        if proto == protocol and found >= WANTED[protocol]:
            return number, spi
        data = data[size:]
    return None


def subnet(octet: int) -> bytes:
    """One selector: all of 10.octet.0.0/16."""
    return struct.pack("!B3xBBHHH", 1, 7, 0, 16, 0, 65535) + bytes((10, octet, 0, 0, 10, octet, 255, 255))


def notify(kind: int, data: bytes = b"", protocol: int = 0, spi: bytes = b"") -> tuple[int, bytes]:
    return NOTIFY, struct.pack("!BBH", protocol, len(spi), kind) + spi + data


def first(payloads: Payloads, kind: int) -> bytes:
    for each, body in payloads:
        if each == kind:
            return body
    raise ValueError(f"payload {kind} is missing")


def notifications(payloads: Payloads) -> dict[int, tuple[bytes, bytes]]:
    """SPI and data by type."""
    found = {}
    for each, body in payloads:
        if each == NOTIFY:
            size, kind = struct.unpack_from("!xBH", body)
            found[kind] = body[4 : 4 + size], body[4 + size :]
    return found


def error(payloads: Payloads) -> int:
    return next((kind for kind in notifications(payloads) if kind < 16384), 0)
