"""What a datagram on UDP port 4500 is: IKE, ESP, or a keepalive (Section 2.23, RFC 3948 section 2)."""

from typing import Final, NamedTuple

from ikeref.errors import Dropped

NON_ESP_MARKER: Final = bytes(4)
"""Stands in front of IKE messages on port 4500, where an ESP packet has its SPI (RFC 3948 section 2.2)."""
KEEPALIVE: Final = b"\xff"
"""The whole content of a NAT keepalive (RFC 3948 section 2.3)."""


class Ike(NamedTuple):
    """An IKE message; the marker is taken off."""

    datagram: bytes


class Esp(NamedTuple):
    """An ESP packet in UDP."""

    spi: bytes
    """4 octets, never zero."""
    packet: bytes
    """From the SPI on."""


class Keepalive(NamedTuple):
    """A NAT keepalive: to be ignored."""


def split(datagram: bytes) -> Ike | Esp | Keepalive:
    """What `datagram`, received on port 4500, holds. On port 500 there is IKE only, without marker.

    Errors: `Dropped` when it is too short to be any of them. Section 2.23.
    """
    if datagram[:4] == NON_ESP_MARKER:
        return Ike(datagram[4:])
    if datagram == KEEPALIVE:
        return Keepalive()
    if len(datagram) < 4:
        raise Dropped(
            f"{len(datagram)} octets are neither a keepalive nor an SPI nor a non-ESP marker",
            section="2.23",
            offset=0,
            field="Non-ESP Marker",
        )
    return Esp(datagram[:4], datagram)


def wrap(datagram: bytes) -> bytes:
    """The IKE message `datagram` as it is sent on port 4500. Section 2.23."""
    return NON_ESP_MARKER + datagram
