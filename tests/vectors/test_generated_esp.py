"""ESP packets of captured Child SAs: opened with the keys that IKE's messages lead to (Section 2.17, RFC 4303)."""

from typing import NamedTuple

import pytest

from ikeref import wire
from ikeref.errors import Dropped
from ikeref.esp import inner
from ikeref.esp.packet import Opened, open_packet, seal_packet, sequence_of
from ikeref.policy.selectors import covers
from tests.vectors.captured import GENERATED, Captured, esp_packets, scenarios
from tests.vectors.life import Child, children, find

PACKETS = {name: esp_packets(GENERATED / name / f"{name}.pcap") for name in scenarios()}
WITH_ESP = [name for name, packets in PACKETS.items() if packets]


class Match(NamedTuple):
    """The Child SA of an ESP packet, and who sent it."""

    child: Child
    by_initiator: bool

    @property
    def keys(self) -> tuple[bytes, bytes]:
        return self.child.keys[:2] if self.by_initiator else self.child.keys[2:]


def match(name: str, packet: Captured) -> Match:
    """The receiver's SPI stands in the packet; which end that is, the exchange tells."""
    spi = packet.octets[:4]
    for child in children(name):
        if spi.hex() in (child.entry["spi_a"], child.entry["spi_b"]):
            return Match(child, spi == find(child.exchange.response.payloads, wire.SA).proposals[0].spi)
    raise AssertionError(f"{name}: packet {packet.number} has the SPI of no Child SA")


def plain(packet: Captured, of: Match) -> Opened:
    return open_packet(of.child.suite, of.keys, sequence_of(packet.octets), packet.octets)


def test_there_is_esp_in_eight_scenarios() -> None:
    assert len(WITH_ESP) == 8
    assert sum(map(len, PACKETS.values())) == 64


@pytest.mark.parametrize("name", WITH_ESP)
def test_s2_17_every_packet_opens_and_closes_to_the_same_octets(name: str) -> None:
    for packet in PACKETS[name]:
        of = match(name, packet)
        opened = plain(packet, of)
        iv = packet.octets[8:24] if of.child.suite.integ else packet.octets[8:16]
        again = seal_packet(of.child.suite, of.keys, packet.octets[:4], sequence_of(packet.octets), opened, iv=iv)
        assert again == packet.octets


@pytest.mark.parametrize("name", WITH_ESP)
def test_s2_9_what_is_in_them_is_what_the_selectors_allow(name: str) -> None:
    for packet in PACKETS[name]:
        of = match(name, packet)
        opened = plain(packet, of)
        what = inner.read(opened.payload)
        assert inner.IP_IN_IP[what.version] == opened.next_header
        answer = of.child.exchange.response.payloads
        initiator, responder = find(answer, wire.TSi).selectors, find(answer, wire.TSr).selectors
        source, destination = (initiator, responder) if of.by_initiator else (responder, initiator)
        assert any(covers(each, what.source) for each in source)
        assert any(covers(each, what.destination) for each in destination)


@pytest.mark.parametrize("name", WITH_ESP)
def test_the_keys_of_the_other_direction_open_nothing(name: str) -> None:
    for packet in PACKETS[name]:
        of = match(name, packet)
        with pytest.raises(Dropped, match="ICV"):
            plain(packet, of._replace(by_initiator=not of.by_initiator))
