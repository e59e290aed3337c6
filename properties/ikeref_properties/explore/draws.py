"""What the ends draw: fresh octets, and nonces whose place in the order is a choice (Sections 2.8.1, 2.8.2, 2.10).

A nonce matters by its place among the nonces that it will be compared with. When one is drawn, these are known: the
peer's rekey of the same kind is without a response, or ours is and the peer's has just come. Each place is then a
choice: below, above or between them, equal to one, or a prefix of the lowest; the second can also continue the first.
Where the first nonces are equal the SPIs may decide, so that which SPI is lower is a choice too.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

NONCE_OCTETS = 32
_PLACE = 16
"""Octets of a nonce that say where in the order it is; the others make it fresh."""
_MIDDLE = 1 << 127
_TOP = 1 << 128


class Rivals(NamedTuple):
    """The nonces, in octets, that those drawn in a step may be compared with, and the SPI that may decide."""

    as_initiator: tuple[tuple[int, tuple[bytes, ...], bytes], ...] = ()
    """For each of the peer's rekeys without a response: size of its SPIs, nonces, the peer's SPI."""
    as_responder: tuple[bytes, ...] = ()
    """Where the peer's request has just come and our own rekey of that kind is without a response."""


NO_RIVALS = Rivals()


class Draws:
    """The randomness of one end. Mutable; `begin` sets it up for each step."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.count = 0
        self.choices: list[int] = []
        """How many possibilities each choice of the step had."""
        self._script: tuple[int, ...] = ()
        self._rivals = NO_RIVALS
        self._spi: int = 0
        """Size of the SPI drawn last: a rekey that this end begins draws it right before the nonce."""
        self._high = False

    def begin(self, count: int, script: tuple[int, ...], rivals: Rivals) -> None:
        """Before a step: how often this end has drawn, what to choose, and whom nonces meet."""
        self.count = count
        self._script = script
        self._rivals = rivals
        self.choices.clear()
        self._spi = 0
        self._high = False

    def _choose(self, possibilities: int) -> int:
        place = len(self.choices)
        self.choices.append(possibilities)
        return self._script[place] if place < len(self._script) else 0

    def _fresh(self, octets: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(octets)

    def new_spi(self, octets: int) -> bytes:
        """A fresh SPI; the peer's are higher or lower than all of A's or B's own, as chosen where it may decide."""
        self._spi, self._high = octets, False
        lead = 0x40 if self._end == 0 else 0x80
        if any(size == octets for size, _, _ in self._rivals.as_initiator) and self._choose(2):
            self._high = True
            lead = 0xC0 if self._end == 0 else 0x20
        return bytes((lead,)) + self._fresh(octets - 1)

    def random(self, octets: int) -> bytes:
        """Octets for a nonce, a private value or jitter."""
        if octets == NONCE_OCTETS:
            return self._nonce()
        if octets == 1:
            return b"\x80"
        return bytes((0x40 if self._end == 0 else 0x80,)) + self._fresh(octets - 1)

    def _nonce(self) -> bytes:
        tail = self._fresh(NONCE_OCTETS - _PLACE - 1)
        tail = bytes((self._end,)) + tail
        rivals: tuple[bytes, ...] = self._rivals.as_responder
        if self._spi:
            rivals = tuple([one for size, each, _ in self._rivals.as_initiator if size == self._spi for one in each])
            self._spi = 0
        if not rivals:
            return _MIDDLE.to_bytes(_PLACE) + tail
        found = places(tuple(sorted(set(rivals))), tail)
        if self._high:
            # Which SPI is lower can only matter where the nonces are equal.
            found = [place for place in found if place in rivals]
        return found[self._choose(len(found))]


def places(rivals: tuple[bytes, ...], tail: bytes) -> list[bytes]:
    """All places in the order: lower, higher, between, equal, a prefix; and the only one there is, continued."""
    values = [int.from_bytes(rival[:_PLACE]) for rival in rivals]
    found = [(values[0] // 2).to_bytes(_PLACE) + tail, ((values[-1] + _TOP) // 2).to_bytes(_PLACE) + tail]
    found += [((a + b) // 2).to_bytes(_PLACE) + tail for a, b in pairwise(values) if b - a > 1]
    found += rivals
    lowest = rivals[0]
    if len(lowest) > NONCE_OCTETS - 8:
        found.append(lowest[:-1])
    if len(rivals) == 1:
        found.append(lowest + b"\x01")
    return found


def calendar() -> datetime:
    """No certificate is looked at."""
    return datetime(2000, 1, 1, tzinfo=UTC)
