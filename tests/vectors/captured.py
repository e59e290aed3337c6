"""Captured IKE SAs with all their keys: reading the files and finding each message's exchange.

A scenario is a folder with NAME.pcap, NAME.keys.json and scenario.json. Nothing here computes any cryptography.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dpkt

from ikeref import wire
from ikeref.crypto import IkeKeys, Suite
from ikeref.registry import Encr, Integ, KeGroup, Prf

HERE = Path(__file__).parent
GENERATED = HERE / "generated"


def outside(name: str) -> Path | None:
    """A folder of vectors that don't belong to the repository, or None where they are not at hand."""
    roots = [Path(os.environ["IKEREF_VECTORS"])] if "IKEREF_VECTORS" in os.environ else []
    roots.append(HERE.parents[2] / "shared" / "vectors")
    return next((root / name for root in roots if (root / name).is_dir()), None)


class Captured(NamedTuple):
    """An IKE message as it was on the wire, without the non-ESP marker."""

    number: int
    """Of the packet in the capture, from 1."""
    source: str
    octets: bytes


class CapturedSa(NamedTuple):
    """An IKE SA of a keys file."""

    suite: Suite
    keys: IkeKeys
    entry: dict[str, Any]


_SPELLINGS = {"3DES_CBC": "TRIPLE_DES", "CURVE_25519": "CURVE25519", "CURVE_448": "CURVE448"}


def number(registry: Any, spelling: str | None) -> int:
    """The number behind strongSwan's spelling of a transform; KeyError for one that it does not map to."""
    if spelling is None:
        return 0
    spelling = spelling.removeprefix("PRF_")
    return int(registry[_SPELLINGS.get(spelling, spelling)])


def frames(path: Path) -> list[tuple[int, bytes]]:
    """All frames of a pcap or pcapng file, each with its link type (1: Ethernet, 0: loopback)."""
    with path.open("rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        link = reader.datalink() & 0xFFFF
        return [(link, bytes(frame)) for _, frame in reader]


def ike_messages(path: Path) -> list[Captured]:
    """All IKE messages of a capture, IP fragments put together."""
    return list(_ike_messages(path))


def _ike_messages(path: Path) -> Iterator[Captured]:
    for packet, (source, udp) in _datagrams(path):
        ports = _ports(udp)
        octets = udp[8 : int.from_bytes(udp[4:6])]
        if 4500 in ports and octets[:4] == bytes(4):
            yield Captured(packet, source, octets[4:])
        elif 500 in ports:
            yield Captured(packet, source, octets)


def esp_packets(path: Path) -> list[Captured]:
    """All ESP packets of a capture that go in UDP (Section 2.23), which all that are there do."""
    return [
        Captured(packet, source, udp[8 : int.from_bytes(udp[4:6])])
        for packet, (source, udp) in _datagrams(path)
        if 4500 in _ports(udp) and udp[8:12] != bytes(4) and udp[8:] != b"\xff"
    ]


def _datagrams(path: Path) -> Iterator[tuple[int, tuple[str, bytes]]]:
    """Number of the packet, source address and UDP datagram."""
    fragments: dict[tuple[bytes, bytes], dict[int, bytes]] = {}
    for count, (link, frame) in enumerate(frames(path), 1):
        datagram = _udp(frame[14:] if link == 1 else frame[4:], fragments)
        if datagram is not None:
            yield count, datagram


def _ports(udp: bytes) -> set[int]:
    return {int.from_bytes(udp[0:2]), int.from_bytes(udp[2:4])}


def _udp(packet: bytes, fragments: dict[tuple[bytes, bytes], dict[int, bytes]]) -> tuple[str, bytes] | None:
    """Source address and UDP datagram of an IP packet, once it is complete."""
    if not packet:
        return None
    if packet[0] >> 4 == 6:
        return (packet[8:24].hex(), packet[40:]) if packet[6] == 17 else None
    if packet[0] >> 4 != 4 or packet[9] != 17:
        return None
    source = ".".join(map(str, packet[12:16]))
    content = packet[4 * (packet[0] & 15) : int.from_bytes(packet[2:4])]
    more, offset = packet[6] & 0x20, 8 * (int.from_bytes(packet[6:8]) & 0x1FFF)
    if not more and not offset:
        return source, content
    parts = fragments.setdefault((packet[12:20], packet[4:6]), {})
    parts[offset] = content
    if not more:
        parts[-1] = b""
    end = 0
    whole = b""
    while end in parts:
        whole += parts[end]
        end = len(whole)
    if -1 in parts and end == sum(map(len, parts.values())):
        return source, whole
    return None


def captured_sas(path: Path) -> dict[tuple[bytes, bytes], CapturedSa]:
    """The IKE SAs of a keys file by SPIi and SPIr. Keys that it does not tell are empty."""
    sas = {}
    for entry in json.loads(path.read_text())["ike_sas"]:
        suite = Suite(
            number(Encr, entry["encr"]),
            entry["key_bits"] if entry["encr"].startswith("AES") else 0,
            number(Prf, entry.get("prf")),
            number(Integ, entry["integ"]),
            number(KeGroup, entry.get("dh")),
        )
        keys = IkeKeys(*(bytes.fromhex(entry.get(field, "")) for field in IkeKeys._fields))
        spis = tuple(bytes.fromhex(entry[side] or "") for side in ("spi_i", "spi_r"))
        sas[spis[0], spis[1]] = CapturedSa(suite, keys, entry)
    return sas


def directed(sa: CapturedSa, message: wire.Message) -> tuple[bytes, bytes]:
    """SK_e and SK_a of the message's direction (Section 2.14)."""
    keys = sa.keys
    return (keys.sk_ei, keys.sk_ai) if message.is_initiator else (keys.sk_er, keys.sk_ar)


def scenarios() -> list[str]:
    """The names of the scenarios in the repository."""
    return sorted(path.parent.name for path in GENERATED.glob("*/scenario.json"))
