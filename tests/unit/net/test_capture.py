"""Captures, read back by another library and by Wireshark."""

import io
import shutil
import subprocess
from pathlib import Path as FilePath

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref.net.capture import Capture, packet
from ikeref.net.disturb import Fate
from ikeref.net.transport import Arrived, Sent
from ikeref.sa.outputs import Audit, Transmit
from ikeref.sa.values import Path

A4, B4 = ("10.0.0.1", 500), ("10.0.0.2", 4500)
A6, B6 = ("2001:db8::1", 500), ("2001:db8::2", 4500)

addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4).map(str), st.ip_addresses(v=4).map(str)),
    st.tuples(st.ip_addresses(v=6).map(str), st.ip_addresses(v=6).map(str)),
)


def ones_complement_sum(octets: bytes) -> int:
    """The Internet checksum's sum (RFC 1071), 0xffff over octets whose checksum is right."""
    total = sum(int.from_bytes(octets[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=1400), addresses, st.integers(0, 65535), st.integers(0, 65535))
def test_headers_are_right_to_the_octet(datagram: bytes, ends: tuple[str, str], sport: int, dport: int) -> None:
    octets = packet(datagram, (ends[0], sport), (ends[1], dport))
    length = (8 + len(datagram)).to_bytes(2, "big")
    if ":" in ends[0]:
        assert octets[:4] == b"\x60\0\0\0"
        assert octets[4:8] == length + bytes([17, 64])
        header, pseudo = octets[:40], octets[8:40] + b"\0\0" + length + b"\0\0\0\x11"
    else:
        assert octets[0] == 0x45
        assert octets[2:4] == (28 + len(datagram)).to_bytes(2, "big")
        assert octets[8:10] == bytes([64, 17])
        header, pseudo = octets[:20], octets[12:20] + b"\0\x11" + length
        assert ones_complement_sum(header) == 0xFFFF
    udp = octets[len(header) :]
    assert udp[:6] == sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + length
    assert udp[8:] == datagram
    assert udp[6:8] != b"\0\0"
    assert ones_complement_sum(pseudo + udp) == 0xFFFF


def read(octets: bytes) -> list[tuple[float, bytes]]:
    reader = dpkt.pcapng.Reader(io.BytesIO(octets))
    assert reader.datalink() == 101
    return [(at, bytes(found)) for at, found in reader]


def test_s2_23_what_was_recorded_is_read_back_with_its_time() -> None:
    file = io.BytesIO()
    capture = Capture(file)
    capture.record(b"one", A4, B4, 1700000000.125)
    capture.record(b"\0\0\0\0two", B6, A6, 1700000001.5)
    assert read(file.getvalue()) == [
        (1700000000.125, packet(b"one", A4, B4)),
        (1700000001.5, packet(b"\0\0\0\0two", B6, A6)),
    ]


@pytest.mark.parametrize("arrivals", [True, False])
def test_an_observer_records_datagrams_in_both_directions_and_nothing_else(arrivals: bool) -> None:
    file = io.BytesIO()
    capture = Capture(file, arrivals=arrivals)
    capture(Sent(Transmit(b"out", Path(A4, B4), None), Fate()), 1.0)
    capture(Audit("said nothing"), 2.0)
    capture(Arrived(b"in", Path(A4, B4)), 3.0)
    expected = [(1.0, packet(b"out", A4, B4)), (3.0, packet(b"in", B4, A4))]
    assert read(file.getvalue()) == expected[: 2 if arrivals else 1]


def test_addresses_can_be_shown_as_others() -> None:
    file = io.BytesIO()
    Capture(file, shown={("127.0.0.1", 40500): A4}).record(b"x", ("127.0.0.1", 40500), B4, 1.0)
    assert read(file.getvalue()) == [(1.0, packet(b"x", A4, B4))]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_finds_nothing_wrong(tmp_path: FilePath) -> None:
    with Capture(tmp_path / "made.pcapng") as capture:
        for ends in ((A4, B4), (A6, B6)):
            capture.record(bytes(28), *ends, 1700000000.0)
            capture.record(b"\xff", *ends, 1700000000.5)
    command = ["tshark", "-r", "made.pcapng", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "ip.checksum.status", "-e", "udp.checksum.status"]
    done = subprocess.run([*command, *fields], cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0][:12] for row in rows] == ["1700000000.0", "1700000000.5"] * 2
    assert [row[1] for row in rows] == ["1", "1", "", ""]
    assert [row[2] for row in rows] == ["1"] * 4
