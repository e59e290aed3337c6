"""Captures read: every link type, both IP versions, fragments, the non-ESP marker, and what is cut off."""

import struct
from io import BytesIO
from pathlib import Path

import dpkt
import pytest

from ikeref.cli.decode.source import SourceError, given
from ikeref.net.packets import Contents, Unreadable, read, read_from
from ikeref.wire import NON_ESP_MARKER, Message, N, encode

IKE = encode(Message(b"initiator"[:8], bytes(8), 34, 8, 0, (N(16430),)))
"""An IKE_SA_INIT request, or what may pass for one."""
FOUR = (b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
SIX = (b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01", b"\x20\x01\x0d\xb8" + bytes(11) + b"\x02")


def udp(content: bytes, source: int = 500, destination: int = 500) -> bytes:
    return struct.pack(">HHHH", source, destination, 8 + len(content), 0) + content


def ip4(payload: bytes, *, offset: int = 0, more: bool = False, options: bytes = b"") -> bytes:
    size = 20 + len(options)
    word = offset // 8 | (0x2000 if more else 0)
    head = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, size + len(payload), 7, word, 64, 17, 0)
    return head + b"".join(FOUR) + options + payload


def ip6(payload: bytes, following: int = 17) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(payload), following, 64) + b"".join(SIX) + payload


def piece6(payload: bytes, offset: int, more: bool) -> bytes:
    return ip6(struct.pack(">BBHI", 17, 0, offset | more, 7) + payload, 44)


def pcap(*frames: bytes, link: int = 101) -> bytes:
    file = BytesIO()
    writer = dpkt.pcap.Writer(file, linktype=link)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=float(number))
    return file.getvalue()


def contents(*frames: bytes, link: int = 101) -> Contents:
    return read_from(BytesIO(pcap(*frames, link=link)), "it")


ETHERNET = bytes(12)
PACKET = ip4(udp(IKE))
FRAMES = {
    "Ethernet": (1, ETHERNET + b"\x08\x00" + PACKET),
    "Ethernet with a VLAN": (1, ETHERNET + b"\x81\x00\x00\x05\x08\x00" + PACKET),
    "Ethernet with two VLANs": (1, ETHERNET + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00" + PACKET),
    "loopback": (0, b"\x02\x00\x00\x00" + PACKET),
    "OpenBSD's loopback": (108, b"\x00\x00\x00\x02" + PACKET),
    "raw IP": (101, PACKET),
    "raw IPv4": (228, PACKET),
    "Linux's any": (113, bytes(14) + b"\x08\x00" + PACKET),
    "Linux's any, newer": (276, b"\x08\x00" + bytes(18) + PACKET),
    "IPv4 with options": (101, ip4(udp(IKE), options=bytes(4))),
    "IPv6": (101, ip6(udp(IKE))),
    "IPv6 with an extension header": (101, ip6(b"\x11\x00" + bytes(6) + udp(IKE), 60)),
    "Ethernet padding": (1, ETHERNET + b"\x08\x00" + PACKET + bytes(30)),
    "another port": (101, ip4(udp(IKE, 40500, 41500))),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_message_is_found_in_every_frame(name: str) -> None:
    link, frame = FRAMES[name]
    (found,) = contents(frame, link=link).datagrams
    assert (found.octets, found.encapsulated, found.lacking) == (IKE, False, 0)


@pytest.mark.parametrize("name", FRAMES)
def test_decode_reads_the_same(name: str, tmp_path: Path) -> None:
    link, frame = FRAMES[name]
    (tmp_path / "it.pcap").write_bytes(pcap(frame, link=link))
    (found,) = given(str(tmp_path / "it.pcap"), BytesIO())
    assert (found.octets, found.port) == (IKE, 500)


@pytest.mark.parametrize("ports", [(4500, 4500), (40500, 4500), (40500, 41500)])
def test_s2_23_the_non_esp_marker_is_taken_off_and_kept_in_mind(ports: tuple[int, int], tmp_path: Path) -> None:
    frame = ip4(udp(NON_ESP_MARKER + IKE, *ports))
    (found,) = contents(frame).datagrams
    assert (found.octets, found.encapsulated) == (IKE, True)
    (tmp_path / "it.pcap").write_bytes(pcap(frame))
    (shown,) = given(str(tmp_path / "it.pcap"), BytesIO())
    assert (shown.octets, shown.port) == (NON_ESP_MARKER + IKE, 4500)


def test_s2_23_esp_and_keepalives_are_no_ike() -> None:
    found = contents(ip4(udp(b"\x01\x02\x03\x04" + bytes(60), 4500, 4500)), ip4(udp(b"\xff", 4500, 4500)))
    assert (found.datagrams, found.packets, found.esp) == ((), 2, 2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_fragments_of_ip_are_put_together_in_any_order(order: tuple[int, ...]) -> None:
    whole = udp(IKE)
    assert len(whole) > 32
    parts = [(0, whole[:16], True), (16, whole[16:32], True), (32, whole[32:], False)]
    for frames in (
        [ip4(part, offset=offset, more=more) for offset, part, more in parts],
        [piece6(part, offset, more) for offset, part, more in parts],
    ):
        (found,) = contents(*(frames[at] for at in order)).datagrams
        assert (found.octets, found.number) == (IKE, 3)


def test_a_fragment_alone_is_nothing() -> None:
    assert contents(ip4(udp(IKE)[:16], more=True)).datagrams == ()


def test_a_packet_that_the_capture_cut_short_says_how_much_is_lacking() -> None:
    (found,) = contents(PACKET[:-5]).datagrams
    assert (found.octets, found.lacking) == (IKE[:-5], 5)


def test_what_comes_before_the_end_of_a_damaged_file_is_read(tmp_path: Path) -> None:
    octets = pcap(PACKET, PACKET)[: -len(PACKET) - 4]  # in the middle of the second header
    found = read_from(BytesIO(octets), "it")
    assert (len(found.datagrams), found.cut) == (1, "packet 2 is cut off: what follows is not read")
    (tmp_path / "it.pcap").write_bytes(octets)
    (shown,) = given(str(tmp_path / "it.pcap"), BytesIO())
    assert "packet 2 is cut off" in shown.where


def test_other_link_types_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="link type 147"):
        contents(PACKET, link=147)
    (tmp_path / "it").write_bytes(b"no capture")
    with pytest.raises(Unreadable, match="no capture"):
        read(tmp_path / "it")
    (tmp_path / "it").write_bytes(pcap(PACKET, link=147))
    with pytest.raises(SourceError, match="link type 147"):
        given(str(tmp_path / "it"), BytesIO())
