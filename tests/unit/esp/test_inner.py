"""Reading IP packets as selectors do, and their ECN field (Sections 2.9, 2.24 and 3.13.1)."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref.errors import Dropped
from ikeref.esp import inner
from ikeref.esp.inner import CE, ECT_0, ECT_1, NOT_ECT


def ipv4(source: str, destination: str, protocol: int, content: bytes, *, ecn: int = 0, offset: int = 0) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    header = struct.pack(">BBHHHBBH", 0x45, 0xB8 | ecn, 20 + len(content), 7, offset, 64, protocol, 0) + addresses
    return inner.with_ecn(header + content, ecn)


def ipv6(source: str, destination: str, following: int, content: bytes, *, ecn: int = 0) -> bytes:
    start = struct.pack(">IHBB", 0x6B8AAAAA | ecn << 20, len(content), following, 64)
    return start + ip_address(source).packed + ip_address(destination).packed + content


PORTS = struct.pack(">HH", 40000, 443) + bytes(16)


def ends(packet: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Protocol and ports of both ends."""
    read = inner.read(packet)
    return tuple((each.ip_protocol, each.start_port, each.end_port) for each in (read.source, read.destination))  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", [6, 17, 132])
def test_s3_13_1_ports(protocol: int) -> None:
    expected = ((protocol, 40000, 40000), (protocol, 443, 443))
    assert ends(ipv4("10.0.1.1", "10.0.2.2", protocol, PORTS)) == expected
    assert ends(ipv6("fd00::1", "fd00::2", protocol, PORTS)) == expected


def test_s3_13_1_icmp_has_type_and_code_for_a_port() -> None:
    assert ends(ipv4("10.0.1.1", "10.0.2.2", 1, b"\3\1rest")) == ((1, 0x0301, 0x0301), (1, 0x0301, 0x0301))
    assert ends(ipv6("fd00::1", "fd00::2", 58, b"\x80\0rest")) == ((58, 0x8000, 0x8000), (58, 0x8000, 0x8000))


def test_s3_13_1_mobility_has_its_type_in_the_upper_octet() -> None:
    assert ends(ipv6("fd00::1", "fd00::2", 135, b"\x3b\1\5\0rest")) == ((135, 0x500, 0x500), (135, 0x500, 0x500))


@pytest.mark.parametrize(
    "packet",
    [
        ipv4("10.0.1.1", "10.0.2.2", 47, PORTS),  # a protocol without ports
        ipv4("10.0.1.1", "10.0.2.2", 6, PORTS, offset=5),  # a fragment that is not the first
        ipv4("10.0.1.1", "10.0.2.2", 6, b"\1\2"),  # cut
        ipv6("fd00::1", "fd00::2", 44, b"\x11\0\0\x28abcd" + PORTS),  # a fragment in IPv6
    ],
)
def test_s3_13_1_without_ports_it_is_opaque(packet: bytes) -> None:
    assert [each[1:] for each in ends(packet)] == [(65535, 0), (65535, 0)]


def test_extension_headers_are_walked() -> None:
    options, routing = b"\x2b\0" + bytes(6), b"\x2c\0" + bytes(6)
    first_fragment = b"\x06\0\0\1abcd"
    read = inner.read(ipv6("fd00::1", "fd00::2", 0, options + routing + first_fragment + PORTS))
    assert (read.source.ip_protocol, read.source.start_port, read.fragment) == (6, 40000, False)


def test_padding_behind_the_packet_does_not_count() -> None:
    for packet in (ipv4("10.0.1.1", "10.0.2.2", 17, PORTS), ipv6("fd00::1", "fd00::2", 17, PORTS)):
        assert inner.read(packet + bytes(30)).length == len(packet)


@given(st.binary(max_size=60))
def test_anything_is_read_or_dropped(octets: bytes) -> None:
    for first in (0x45, 0x60, 0x10):
        packet = bytes((first,)) + octets
        try:
            assert inner.read(packet).length <= len(packet)
        except Dropped:
            continue


def test_every_cut_is_dropped() -> None:
    for packet in (ipv4("10.0.1.1", "10.0.2.2", 17, PORTS), ipv6("fd00::1", "fd00::2", 17, PORTS)):
        for size in range(len(packet)):
            with pytest.raises(Dropped):
                inner.read(packet[:size])


def test_s2_24_7296_2_24_01_congestion_marks_survive_the_tunnel() -> None:
    """All sixteen cases of RFC 6040 section 4.2."""
    table = {
        NOT_ECT: {NOT_ECT: NOT_ECT, ECT_1: NOT_ECT, ECT_0: NOT_ECT, CE: None},
        ECT_0: {NOT_ECT: ECT_0, ECT_1: ECT_1, ECT_0: ECT_0, CE: CE},
        ECT_1: {NOT_ECT: ECT_1, ECT_1: ECT_1, ECT_0: ECT_1, CE: CE},
        CE: dict.fromkeys((NOT_ECT, ECT_1, ECT_0, CE), CE),
    }
    assert table == {one: {outer: inner.decapsulated_ecn(one, outer) for outer in range(4)} for one in range(4)}


@pytest.mark.parametrize("ecn", range(4))
def test_the_field_is_read_and_written_and_nothing_else_changes(ecn: int) -> None:
    for make in (ipv4, ipv6):
        hosts = ("10.0.1.1", "10.0.2.2") if make is ipv4 else ("fd00::1", "fd00::2")
        before = make(*hosts, 17, PORTS)
        after = inner.with_ecn(before, ecn)
        assert after == make(*hosts, 17, PORTS, ecn=ecn)
        assert inner.read(after).ecn == ecn
        assert inner.read(after)._replace(ecn=0) == inner.read(before)


def test_the_checksum_of_ipv4_is_right() -> None:
    header = ipv4("10.0.1.1", "10.0.2.2", 17, PORTS, ecn=CE)[:20]
    total = sum(struct.unpack(">10H", header))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
