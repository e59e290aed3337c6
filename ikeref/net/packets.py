"""IKE datagrams of a capture in pcap or pcapng (Sections 2 and 2.23); `capture` writes what this reads.

A datagram is IKE if one of its UDP ports is 500, or 4500 and it begins with the non-ESP marker, or if on other ports
it has a header of IKEv2 with the right Length. IP fragments are put together. What else the capture holds is left out.
"""

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import dpkt

from ikeref import wire
from ikeref.errors import Dropped


class Unreadable(Exception):
    """A file can't be read as what it should be; the text says why, for a person."""


class Datagram(NamedTuple):
    """An IKE message as it was on the wire, the non-ESP marker taken off."""

    number: int
    """Of the packet in the capture, from 1; of the last one if IP had fragmented it."""
    time: float
    """Seconds since 1970."""
    source: str
    """`address:port`, or `[address]:port`."""
    destination: str
    octets: bytes
    encapsulated: bool = False
    """The non-ESP marker preceded it (Section 2.23)."""
    lacking: int = 0
    """Octets that the UDP header announces and the capture does not hold: it was told to keep only the first ones."""


class Contents(NamedTuple):
    """What a capture holds."""

    datagrams: tuple[Datagram, ...]
    packets: int
    esp: int
    """ESP in UDP on port 4500."""
    cut: str = ""
    """Why the file ends early, empty if it does not."""


_PORT: Final = 500
_PORT_NAT: Final = 4500
_UDP: Final = 17
_ETHERNET: Final = 1
_VLAN: Final = (b"\x81\x00", b"\x88\xa8")
_IP: Final = (b"\x08\x00", b"\x86\xdd")
_BARE: Final = (12, 14, 101, 228, 229)
"""Link types of packets that begin with the IP header."""
_LINK_HEADERS: Final = {0: 4, 108: 4, 113: 16, 276: 20}
"""Octets in front of the IP header: loopback, and Linux's `any`."""


MAGIC: Final = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a")
"""First octets of pcap (four byte orders and resolutions) and pcapng."""


def read(path: Path) -> Contents:
    """The IKE datagrams of a capture. Raises `Unreadable`; OSError where there is no such file."""
    with path.open("rb") as file:
        return read_from(file, str(path))


def read_from(file: BinaryIO, name: str) -> Contents:
    """The same from an open file; `name` is how to call it. Raises `Unreadable`."""
    found: list[Datagram] = []
    packets = esp = 0
    cut = ""
    try:
        reader = dpkt.pcap.UniversalReader(file)
        link = reader.datalink() & 0xFFFF  # above it stands whether frames end with a checksum
    except (ValueError, struct.error, dpkt.Error) as error:
        raise Unreadable(f"{name} is no capture in pcap or pcapng") from error
    if link != _ETHERNET and link not in _BARE and link not in _LINK_HEADERS:
        raise Unreadable(f"{name} has link type {link}; Ethernet, raw IP, loopback and Linux's `any` are understood")
    fragments = _Fragments()
    try:
        for time, frame in reader:
            packets += 1
            udp = fragments.add(_network(link, bytes(frame)))
            if udp is None:
                continue
            content = _ike(udp)
            if content is None:
                esp += udp.port(_PORT_NAT)
                continue
            source, destination = _end(udp.source, udp.content[0:2]), _end(udp.destination, udp.content[2:4])
            octets, encapsulated = content
            found.append(Datagram(packets, float(time), source, destination, octets, encapsulated, udp.lacking))
    except (ValueError, struct.error, dpkt.Error):
        cut = f"packet {packets + 1} is cut off: what follows is not read"
    return Contents(tuple(found), packets, esp, cut)


class _Udp(NamedTuple):
    """A UDP datagram with its header, and the IP addresses."""

    source: bytes
    destination: bytes
    content: bytes

    def port(self, number: int) -> bool:
        return number.to_bytes(2) in (self.content[0:2], self.content[2:4])

    @property
    def lacking(self) -> int:
        """Octets that are not there."""
        return max(0, int.from_bytes(self.content[4:6]) - len(self.content))


def _ike(udp: _Udp) -> tuple[bytes, bool] | None:
    """The IKE message in it, if it is one, and whether the non-ESP marker preceded it."""
    if len(udp.content) < 8:
        return None
    octets = udp.content[8 : int.from_bytes(udp.content[4:6]) or None]
    if udp.port(_PORT_NAT):
        try:
            packet = wire.split(octets)
        except Dropped:
            return None
        return (packet.datagram, True) if isinstance(packet, wire.Ike) else None
    if udp.port(_PORT) or looks_like_ike(octets):
        return octets, False
    marked = octets[:4] == wire.NON_ESP_MARKER and looks_like_ike(octets[4:])
    return (octets[4:], True) if marked else None


def looks_like_ike(octets: bytes) -> bool:
    """Whether it has a header of IKEv2 whose Length is right."""
    if len(octets) < wire.HEADER_SIZE:
        return False
    header = wire.peek(octets)
    return header.version >> 4 == wire.VERSION >> 4 and header.spi_i != wire.NO_SPI and header.length == len(octets)


def _end(address: bytes, port: bytes) -> str:
    host = str(ip_address(address))
    return f"[{host}]:{int.from_bytes(port)}" if ":" in host else f"{host}:{int.from_bytes(port)}"


def _network(link: int, frame: bytes) -> bytes:
    """The IP packet of a frame; empty if it holds none."""
    if link in _BARE:
        return frame
    if link in _LINK_HEADERS:
        return frame[_LINK_HEADERS[link] :]
    at = 12
    while frame[at : at + 2] in _VLAN:
        at += 4
    return frame[at + 2 :] if frame[at : at + 2] in _IP else b""


class _Fragments:
    """Puts IP fragments together."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, ...], dict[int, bytes]] = {}
        self._sizes: dict[tuple[bytes, ...], int] = {}

    def add(self, packet: bytes) -> _Udp | None:
        """The UDP datagram that this packet is, or completes."""
        version = packet[0] >> 4 if packet else 0
        if version == 4 and len(packet) >= 20 and packet[9] == _UDP:
            source, destination = packet[12:16], packet[16:20]
            where = int.from_bytes(packet[6:8])
            start = 4 * (packet[0] & 15)
            end = int.from_bytes(packet[2:4]) or len(packet)
            return self._piece(
                source, destination, packet[4:6], where & 0x1FFF, bool(where & 0x2000), packet[start:end]
            )
        if version == 6 and len(packet) >= 40:
            return self._six(packet)
        return None

    def _six(self, packet: bytes) -> _Udp | None:
        source, destination = packet[8:24], packet[24:40]
        end = 40 + int.from_bytes(packet[4:6])
        following, at = packet[6], 40
        for kind, size in _extensions(packet, following, at):
            if kind == 44:
                where = int.from_bytes(packet[at + 2 : at + 4])
                if packet[at] != _UDP:
                    return None
                identity, content = packet[at + 4 : at + 8], packet[at + 8 : end]
                return self._piece(source, destination, identity, where >> 3, bool(where & 1), content)
            following, at = packet[at], at + size
        return _Udp(source, destination, packet[at:end]) if following == _UDP else None

    def _piece(
        self, source: bytes, destination: bytes, identity: bytes, offset: int, more: bool, content: bytes
    ) -> _Udp | None:
        """`offset` counts units of 8 octets."""
        if not offset and not more:
            return _Udp(source, destination, content)
        key = (source, destination, identity)
        pieces = self._waiting.setdefault(key, {})
        pieces[8 * offset] = content
        if not more:
            self._sizes[key] = 8 * offset + len(content)
        whole = b""
        while len(whole) in pieces and pieces[len(whole)]:
            whole += pieces[len(whole)]
        if self._sizes.get(key) != len(whole):
            return None
        del self._waiting[key], self._sizes[key]
        return _Udp(source, destination, whole)


def _extensions(packet: bytes, following: int, at: int) -> Iterator[tuple[int, int]]:
    """Kind and octets of each IPv6 extension header in turn."""
    while following in (0, 43, 44, 60) and at + 8 <= len(packet):
        size = 8 if following == 44 else 8 * (packet[at + 1] + 1)
        yield following, size
        following, at = packet[at], at + size
