"""Where octets come from: hexadecimal digits, a binary file, a capture, standard input.

What is given decides: the name of a file wins over digits; in a file, the first octets say whether it is a capture,
and otherwise whether it is text of hexadecimal digits or the datagram itself.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import dpkt

from ikeref.wire import HEADER_SIZE, NON_ESP_MARKER

IKE_PORT: Final = 500
NAT_PORT: Final = 4500
"""Where the non-ESP marker stands in front (Section 2.23)."""

_CAPTURES: Final = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
"""First octets of pcap (four byte orders and resolutions) and pcapng."""
_SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s:,;.\-_]|(?<![0-9a-fA-F])#.*$", re.MULTILINE)
_FRAGMENT_HEADER: Final = 44


class SourceError(ValueError):
    """What was given holds no octets that could be explained; the text says why and what would."""


class Given(NamedTuple):
    """A datagram to be explained."""

    octets: bytes
    """As it was on UDP, with the non-ESP marker where there was one."""
    port: int
    """500, or 4500 where the non-ESP marker stands in front."""
    where: str
    """`packet 3, 10.0.0.1:500 to 10.0.0.2:500`; empty where there is but one."""


def given(what: str, stdin: BinaryIO, port: int | None = None) -> tuple[Given, ...]:
    """The datagrams in an argument: hexadecimal digits, the name of a file, or `-` for standard input.

    `port` says on which it came, where that can't be seen. Raises SourceError, or OSError for a file.
    """
    if what == "-":
        return _content(stdin.read(), "standard input", port)
    path = Path(what)
    if _is_file(path):
        return _content(path.read_bytes(), what, port)
    octets = digits(what)
    if octets is None:
        looks_like_name = "/" in what or "." in path.name
        hint = "there is no file of that name" if looks_like_name else "it is no file, and not hexadecimal digits"
        raise SourceError(f"{_short(what)!r}: {hint}; give hexadecimal digits, a file or - for standard input")
    return (_single(octets, port),)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a long run of digits is no name


def digits(text: str) -> bytes | None:
    """The octets of hexadecimal digits, with or without spaces, colons, commas or 0x; None if it is anything else."""
    plain = _SEPARATORS.sub("", text)
    try:
        return bytes.fromhex(plain) if plain else None
    except ValueError:
        return None


def _content(octets: bytes, name: str, port: int | None) -> tuple[Given, ...]:
    if not octets:
        raise SourceError(f"{name} is empty")
    if octets[:4] in _CAPTURES:
        return tuple(_capture(octets, name))
    try:
        found = digits(octets.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None and octets.isascii() and octets.decode("ascii").isprintable():
        raise SourceError(f"{name} holds text that is not hexadecimal digits: {_short(octets.decode('ascii'))!r}")
    return (_single(octets if found is None else found, port),)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _single(octets: bytes, port: int | None) -> Given:
    if port is None:
        marked = octets[:4] == NON_ESP_MARKER and _is_ike(octets[4:])
        port = NAT_PORT if marked else IKE_PORT
    return Given(octets, port, "")


def _is_ike(octets: bytes) -> bool:
    """Whether this looks like an IKEv2 message, on whatever port."""
    return (
        len(octets) >= HEADER_SIZE
        and octets[17] >> 4 == 2
        and octets[:8] != bytes(8)
        and int.from_bytes(octets[24:28], "big") == len(octets)
    )


# Captures


def _capture(octets: bytes, name: str) -> Iterator[Given]:
    """All IKE datagrams of a capture: on ports 500 and 4500, and on others what looks like one."""
    seen = found = 0
    fragments: dict[tuple[bytes, bytes, bytes], list[tuple[int, bytes, bool]]] = {}
    try:
        for number, (link, frame) in enumerate(_frames(octets), 1):
            seen = number
            for source, destination, sport, dport, datagram in _udp(link, frame, fragments):
                port = _port_of(sport, dport, datagram)
                if port is not None:
                    found += 1
                    yield Given(datagram, port, f"packet {number}, {source}:{sport} to {destination}:{dport}")
    except (ValueError, dpkt.Error) as error:
        raise SourceError(f"{name} is damaged behind packet {seen}: {error}") from error
    if not found:
        raise SourceError(f"there is no IKE in the {seen} packets of {name}")


def _frames(octets: bytes) -> Iterator[tuple[int, bytes]]:
    reader: Any = dpkt.pcap.UniversalReader(BytesIO(octets))
    link = reader.datalink() & 0xFFFF
    for _, frame in reader:
        yield link, bytes(frame)


def _packet(link: int, frame: bytes) -> bytes:
    """What is inside of the link layer's frame; link types as in the registry of pcap."""
    match link:
        case 1:
            skip = 14
            while frame[skip - 2 : skip] in (b"\x81\x00", b"\x88\xa8"):
                skip += 4
            return frame[skip:]
        case 0 | 108:
            return frame[4:]
        case 113:
            return frame[16:]
        case 276:
            return frame[20:]
        case 12 | 14 | 101 | 228 | 229:
            return frame
        case _:
            raise ValueError(f"link type {link} is not known here")


Udp = tuple[str, str, int, int, bytes]
Fragments = dict[tuple[bytes, bytes, bytes], list[tuple[int, bytes, bool]]]


def _udp(link: int, frame: bytes, fragments: Fragments) -> Iterator[Udp]:
    """The UDP datagram of a frame, put together where IP had it in fragments; nothing if it is none."""
    packet = _packet(link, frame)
    version = packet[0] >> 4 if packet else 0
    whole: bytes | None
    if version == 4 and len(packet) >= 20 and packet[9] == dpkt.ip.IP_PROTO_UDP:
        source, destination = packet[12:16], packet[16:20]
        body = packet[4 * (packet[0] & 15) : int.from_bytes(packet[2:4], "big") or len(packet)]
        word = int.from_bytes(packet[6:8], "big")
        piece = ((word & 0x1FFF) * 8, body, bool(word & 0x2000))
        whole = _joined(fragments, (source, destination, packet[4:6]), piece)
    elif version == 6 and len(packet) >= 40:
        source, destination, body = packet[8:24], packet[24:40], packet[40:]
        kind = packet[6]
        if kind == _FRAGMENT_HEADER and len(body) >= 8 and body[0] == dpkt.ip.IP_PROTO_UDP:
            word = int.from_bytes(body[2:4], "big")
            whole = _joined(fragments, (source, destination, body[4:8]), (word & 0xFFF8, body[8:], bool(word & 1)))
        else:
            whole = body if kind == dpkt.ip.IP_PROTO_UDP else None
    else:
        return
    if whole is None or len(whole) < 8:
        return
    size = int.from_bytes(whole[4:6], "big")
    sport, dport = int.from_bytes(whole[0:2], "big"), int.from_bytes(whole[2:4], "big")
    yield _address(source), _address(destination), sport, dport, whole[8 : size or None]


def _joined(fragments: Fragments, key: tuple[bytes, bytes, bytes], piece: tuple[int, bytes, bool]) -> bytes | None:
    """The payload of an IP packet, once all of its fragments are there."""
    if piece[0] == 0 and not piece[2]:
        return piece[1]
    pieces = fragments.setdefault(key, [])
    pieces.append(piece)
    whole = b""
    for offset, body, more in sorted(pieces):
        if offset != len(whole):
            return None
        whole += body
        if not more:
            del fragments[key]
            return whole
    return None


def _address(octets: bytes) -> str:
    address = ip_address(octets)
    return f"[{address}]" if address.version == 6 else str(address)


def _port_of(sport: int, dport: int, datagram: bytes) -> int | None:
    """500, 4500, or None for what is no IKE."""
    if NAT_PORT in (sport, dport):
        return NAT_PORT if datagram[:4] == NON_ESP_MARKER else None
    if IKE_PORT in (sport, dport):
        return IKE_PORT
    if _is_ike(datagram):
        return IKE_PORT
    return NAT_PORT if datagram[:4] == NON_ESP_MARKER and _is_ike(datagram[4:]) else None
