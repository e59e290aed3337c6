"""Finding out whether a NAT stands between the ends (Section 2.23)."""

import hashlib
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from ikeref.registry import NotifyType
from ikeref.sa.values import Address, Path
from ikeref.wire import N, Payload

_SOURCE: Final = int(NotifyType.NAT_DETECTION_SOURCE_IP)
_DESTINATION: Final = int(NotifyType.NAT_DETECTION_DESTINATION_IP)


def digest(spi_i: bytes, spi_r: bytes, address: Address) -> bytes:
    """SHA-1 of the SPIs, the IP address and the port, as they stand in this message (7296-2.23-15). 20 octets."""
    host, port = address
    octets = spi_i + spi_r + packed(host) + port.to_bytes(2, "big")
    return hashlib.sha1(octets, usedforsecurity=False).digest()


@lru_cache(maxsize=1024)
def packed(host: str) -> bytes:
    """The octets of a numeric address. That of IPv4 is four numbers, and needs no parser where every message has it."""
    return ip_address(host).packed if ":" in host else bytes(map(int, host.split(".")))


def network(host: str) -> bytes:
    """What is one peer as far as addresses tell: an IPv4 address, or the 64 bits of IPv6 that one host may vary."""
    return packed(host)[:8]


def notifications(spi_i: bytes, spi_r: bytes, path: Path, *, pretend: bool = False) -> tuple[N, N]:
    """What tells the peer our view of both addresses; `pretend` makes ours wrong, so that a NAT is seen."""
    source = bytes(20) if pretend else digest(spi_i, spi_r, path.local)
    return (
        N(_SOURCE, source),
        N(_DESTINATION, digest(spi_i, spi_r, path.remote)),
    )


def detect(payloads: tuple[Payload, ...], spi_i: bytes, spi_r: bytes, path: Path) -> tuple[bool, bool]:
    """Whether a NAT stands before us, and before the peer; no NAT where the peer does not take part.

    There can be several source digests, of a sender that does not know its address; one that matches is enough.
    """
    said = [payload for payload in payloads if type(payload) is N]
    sources = [each.data for each in said if each.type == _SOURCE]
    destinations = [each.data for each in said if each.type == _DESTINATION]
    local = bool(destinations) and digest(spi_i, spi_r, path.local) not in destinations
    remote = bool(sources) and digest(spi_i, spi_r, path.remote) not in sources
    return local, remote
