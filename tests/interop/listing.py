"""What an end says of its SAs, in a form in which two ends can be compared."""

from __future__ import annotations

from typing import NamedTuple


class ChildListing(NamedTuple):
    """One Child SA as one end sees it."""

    spi_in: str
    """Hexadecimal: the SPI that this end chose and receives on."""
    spi_out: str
    mode: str
    """TUNNEL or TRANSPORT."""
    local_ts: frozenset[str]
    remote_ts: frozenset[str]
    suite: str
    """Transforms of the Child SA as `AES_GCM_16-256/CURVE_25519`."""
    state: str = "INSTALLED"

    def crossed(self) -> ChildListing:
        """The same Child SA as the other end has to see it."""
        return self._replace(spi_in=self.spi_out, spi_out=self.spi_in, local_ts=self.remote_ts, remote_ts=self.local_ts)


class IkeListing(NamedTuple):
    """One IKE SA as one end sees it."""

    spi_i: str
    """Hexadecimal."""
    spi_r: str
    initiator: bool
    """Whether this end is the original initiator."""
    suite: str
    """Transforms of the IKE SA as `AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519`."""
    children: frozenset[ChildListing]
    state: str = "ESTABLISHED"

    def crossed(self) -> IkeListing:
        """The same IKE SA as the other end has to see it."""
        return self._replace(
            initiator=not self.initiator, children=frozenset(child.crossed() for child in self.children)
        )


Listing = frozenset[IkeListing]
"""Every IKE SA of an end."""


def crossed(listing: Listing) -> Listing:
    """What the other end has to list when this end lists `listing`."""
    return frozenset(each.crossed() for each in listing)


def show(listing: Listing) -> str:
    """The listing for a person, one SA a line, in a stable order."""
    lines = []
    for ike in sorted(listing, key=lambda each: each.spi_i):
        role = "initiator" if ike.initiator else "responder"
        lines.append(f"IKE SA {ike.spi_i}_i {ike.spi_r}_r {ike.state} {role} {ike.suite}")
        lines.extend(
            f"  Child SA in {child.spi_in} out {child.spi_out} {child.state} {child.mode} {child.suite}"
            f" {' '.join(sorted(child.local_ts))} === {' '.join(sorted(child.remote_ts))}"
            for child in sorted(ike.children)
        )
    return "\n".join(lines) or "no SA"
