"""The IP packets that a tunnel carries: what a selector looks at, and their ECN field (Sections 2.9 and 2.24)."""

from ipaddress import ip_address
from typing import Final, NamedTuple

from ikeref.errors import Dropped
from ikeref.registry import TsType
from ikeref.wire import TrafficSelector

IPV4_HEADER: Final = 20
IPV6_HEADER: Final = 40
IP_IN_IP: Final = {4: 4, 6: 41}
"""ESP's Next Header for a tunnelled packet, by IP version."""

_WITH_PORTS: Final = frozenset((6, 17, 33, 132, 136))
"""TCP, UDP, DCCP, SCTP, UDP-Lite: two ports come first."""
_ICMP: Final = frozenset((1, 58))
_MOBILITY: Final = 135
_OPAQUE: Final = (65535, 0)
"""The port range of packets without ports, or whose ports can't be seen (Section 3.13.1)."""
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_EXTENSIONS: Final = frozenset((_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION))

NOT_ECT, ECT_1, ECT_0, CE = range(4)
"""The ECN field (RFC 3168 section 5): no, capable of it (1), capable of it (0), congestion experienced."""


class Inner(NamedTuple):
    """What selectors look at in an IP packet."""

    version: int
    length: int
    """Octets of the packet, by its own header: TFC padding behind it does not count."""
    source: TrafficSelector
    """One address and one port: of a fragment without ports, OPAQUE."""
    destination: TrafficSelector
    fragment: bool
    """Not the first of its packet, so that its ports are not in it."""
    ecn: int

    def __str__(self) -> str:
        source, destination = ip_address(self.source.start), ip_address(self.destination.start)
        return f"{source} to {destination}, protocol {self.source.ip_protocol}"


def read(packet: bytes) -> Inner:
    """What selectors look at. `Dropped` where it is no whole IP packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _read_4(packet)
    if version == 6:
        return _read_6(packet)
    raise _dropped("neither IPv4 nor IPv6")


def _read_4(packet: bytes) -> Inner:
    header, length = 4 * (packet[0] & 15), int.from_bytes(packet[2:4])
    if not IPV4_HEADER <= header <= length <= len(packet):
        raise _dropped("the lengths of its IPv4 header don't fit")
    fragment = bool(int.from_bytes(packet[6:8]) & 0x1FFF)
    content = b"" if fragment else packet[header:length]
    source, destination = _ends(TsType.IPV4_ADDR_RANGE, packet[12:16], packet[16:20], packet[9], content)
    return Inner(4, length, source, destination, fragment, packet[1] & 3)


def _read_6(packet: bytes) -> Inner:
    length = IPV6_HEADER + int.from_bytes(packet[4:6])
    if not IPV6_HEADER <= length <= len(packet):
        raise _dropped("the length in its IPv6 header does not fit")
    protocol, at, fragment = packet[6], IPV6_HEADER, False
    while protocol in _EXTENSIONS and not fragment and at + 8 <= length:
        following, size = packet[at], 8 * packet[at + 1] + 8
        if protocol == _FRAGMENT:
            size, fragment = 8, bool(int.from_bytes(packet[at + 2 : at + 4]) >> 3)
        elif protocol == _AUTHENTICATION:
            size = 4 * packet[at + 1] + 8
        protocol, at = following, at + size
    content = b"" if fragment else packet[at:length]
    source, destination = _ends(TsType.IPV6_ADDR_RANGE, packet[8:24], packet[24:40], protocol, content)
    return Inner(6, length, source, destination, fragment, packet[1] >> 4 & 3)


def _ends(
    ts_type: int, source: bytes, destination: bytes, protocol: int, content: bytes
) -> tuple[TrafficSelector, TrafficSelector]:
    """Both ends as selectors. ICMP's type and code stand where a port would (Section 3.13.1)."""
    ports = (_OPAQUE, _OPAQUE)
    if protocol in _WITH_PORTS and len(content) >= 4:
        one, other = int.from_bytes(content[:2]), int.from_bytes(content[2:4])
        ports = ((one, one), (other, other))
    elif protocol in _ICMP and len(content) >= 2:
        kind = int.from_bytes(content[:2])
        ports = ((kind, kind), (kind, kind))
    elif protocol == _MOBILITY and len(content) >= 3:
        kind = content[2] << 8
        ports = ((kind, kind), (kind, kind))
    return (
        TrafficSelector(ts_type, protocol, *ports[0], source, source),
        TrafficSelector(ts_type, protocol, *ports[1], destination, destination),
    )


def decapsulated_ecn(inner: int, outer: int) -> int | None:
    """The ECN field of a packet that leaves a tunnel; None: the packet is dropped (RFC 6040 section 4.2, which updates
    what Section 2.24 cites).

    Congestion that the outer header tells is passed on to who can heed it (7296-2.24-01, 7296-2.24-02).
    """
    if inner == NOT_ECT:
        return None if outer == CE else NOT_ECT
    if CE in (inner, outer):
        return CE
    return ECT_1 if outer == ECT_1 else inner


def with_ecn(packet: bytes, ecn: int) -> bytes:
    """The IP packet with that ECN field, the checksum of IPv4 mended."""
    if packet[0] >> 4 == 6:
        return packet[:1] + bytes((packet[1] & 0xCF | ecn << 4,)) + packet[2:]
    header = bytearray(packet[: 4 * (packet[0] & 15)])
    header[1] = header[1] & 0xFC | ecn
    header[10:12] = bytes(2)
    header[10:12] = _checksum(header).to_bytes(2)
    return bytes(header) + packet[len(header) :]


def _checksum(header: bytearray) -> int:
    total = sum(int.from_bytes(header[n : n + 2]) for n in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _dropped(reason: str) -> Dropped:
    return Dropped(f"no IP packet to carry: {reason}", section="RFC 4301 5", field="packet")
