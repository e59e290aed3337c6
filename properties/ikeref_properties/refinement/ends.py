"""Which SAs of an end have come to the end of their lives (Section 2.8), by the clock and not by what the end does."""

from collections.abc import Mapping
from typing import NamedTuple

from ikeref.sa import Phase
from ikeref_properties.network import Record


class Ends(NamedTuple):
    """What may be used no longer, and was there before a step."""

    ikes: tuple[str, ...]
    children: tuple[tuple[str, bytes], ...]
    """Names and SPIs of this end."""
    home: str
    """The IKE SA that controls the Child SAs."""
    closing: bool = False
    """An IKE SA has closed for a Child SA."""

    @classmethod
    def of(cls, record: Record, ikes: Mapping[bytes, str], children: Mapping[bytes, str]) -> "Ends":
        """What has come to its end in a step; `ikes` and `children` are names by SPI of this end."""
        over, gone, home = [], [], ""
        for session in record.before.values():
            for ike in session.ikes:
                home = ikes.get(ike.spi, "") if ike.owner else home
                if 0 < ike.ends_at <= record.now and Phase.CANDIDATE <= ike.phase < Phase.CLOSED:
                    over.append(ikes[ike.spi])
            ended = [child.spi_in for child in session.children if 0 < child.ends_at <= record.now]
            gone += [(children[spi], spi) for spi in ended if spi in children]
        return cls(tuple(over), tuple(gone), home)

    def without(self, ike: str) -> "Ends":
        """What is left when that IKE SA has closed: with the one that controls them the Child SAs go."""
        ikes = tuple(each for each in self.ikes if each != ike)
        if ike != self.home:
            return self._replace(ikes=ikes)
        return self._replace(ikes=ikes, children=(), closing=bool(self.children) and ike not in self.ikes)
