"""What comparisons of nonces that are still to come will say (Sections 2.8.1, 2.8.2).

The code looks at the order of nonces in one place, `collisions.ours_is_redundant`, once at each end that had a rekey
under way when the peer's came. All that two states can differ in by their nonces is therefore what that function will
answer. Where all four are drawn it is asked; where some are still to be drawn, it is asked for every place that they
can take, and what counts is the set of answers. So every place is drawn, that function is asked about every order, and
states are told apart only by what comes of it.
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

from ikeref.sa import collisions
from ikeref_properties.explore.draws import NONCE_OCTETS, places

OCTETS = 4
_FRESH = bytes(NONCE_OCTETS // 2)
"""The octets of a nonce to be drawn that don't say where in the order it is."""

IkeKey = tuple[bytes, bytes]
"""SPIi and SPIr."""
CHILD_SPI, IKE_SPI = 4, 8
"""Octets of the SPIs of Child SAs and IKE SAs."""


class Rekey(NamedTuple):
    """A rekey without a response, as the end has it that asked for it."""

    size: int
    """4 or 8: of a Child SA or of an IKE SA, by the size of its SPIs."""
    ike: IkeKey
    """On which IKE SA it was asked for."""
    number: int
    """Its Message ID there."""
    nonce: bytes
    spi: bytes
    """This end's, of what it is to create."""
    mine: bytes = b""
    """The Child SA that it replaces, by this end's SPI, and by the peer's; empty for an IKE SA."""
    theirs: bytes = b""
    crossed: tuple[bytes, ...] = ()
    """Where the peer's rekey crossed it: Ni and Nr of that, in this order."""
    crossed_spi: bytes = b""
    """The peer's SPI of what that created."""

    def crosses(self, other: "Rekey") -> bool:
        """Whether both are about the same SA, so that their nonces may be compared."""
        if self.size != other.size or self.ike != other.ike:
            return False
        return self.size == IKE_SPI or (self.mine == other.theirs and self.theirs == other.mine)


class Pair(NamedTuple):
    """Two rekeys that cross or may cross: the nonces as far as they are drawn, each exchange's initiator's first."""

    first: tuple[bytes, bytes]
    """Ni and Nr of the first end's exchange; empty where not drawn yet."""
    second: tuple[bytes, bytes]
    spis: tuple[bytes, bytes]
    """The initiators' SPIs of what the exchanges create."""
    asks: tuple[bool, bool]
    """Which end will compare."""


def pairs(first: Iterable[Rekey], second: Iterable[Rekey], answers: dict[tuple[IkeKey, int], bytes]) -> list[Pair]:
    """The comparisons that may come; `answers` has the nonces in responses that are still to be received."""
    found, met = [], set()
    for a in first:
        nr = answers.get((a.ike, a.number), b"")
        other = next((b for b in second if a.crosses(b)), None)
        if other is None:
            if a.crossed:
                ni, mine = a.crossed
                found.append(Pair((a.nonce, nr), (ni, mine), (a.spi, a.crossed_spi), (True, False)))
            continue
        met.add(other)
        theirs = a.crossed[1] if a.crossed else answers.get((other.ike, other.number), b"")
        nr = other.crossed[1] if other.crossed else nr
        found.append(Pair((a.nonce, nr), (other.nonce, theirs), (a.spi, other.spi), (True, True)))
    for b in second:
        if b not in met and b.crossed:
            ni, theirs = b.crossed
            nr = answers.get((b.ike, b.number), b"")
            found.append(Pair((ni, theirs), (b.nonce, nr), (b.crossed_spi, b.spi), (False, True)))
    return found


class Verdicts:
    """What comparisons will say, as octets. Mutable: remembers."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], bytes] = {}

    def of(self, pair: Pair) -> bytes:
        """The same for pairs of which the code will say the same whatever is drawn."""
        drawn = sorted({nonce for nonce in (*pair.first, *pair.second) if nonce})
        order = tuple([drawn.index(nonce) if nonce else -1 for nonce in (*pair.first, *pair.second)])
        shape = tuple([(len(a), b.startswith(a)) for a, b in pairwise(drawn)]), len(drawn[-1])
        key = (order, shape, pair.spis[0] < pair.spis[1], pair.asks)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = blake2b(repr(_outcomes(pair)).encode(), digest_size=OCTETS).digest()
        return known


def _outcomes(pair: Pair) -> object:
    """An answer where all is drawn; else a set of them for each of the nonces that may be drawn next."""
    (ni, nr), (other_ni, other_nr) = pair.first, pair.second
    if nr and other_nr:
        return _answer(pair)
    drawn = tuple(sorted({nonce for nonce in (ni, nr, other_ni, other_nr) if nonce}))
    next_ones: list[object] = []
    if not nr:
        found = {repr(_outcomes(pair._replace(first=(ni, place)))) for place in places(drawn, b"\1" + _FRESH[1:])}
        next_ones.append(("first", sorted(found)))
    if not other_nr:
        found = {
            repr(_outcomes(pair._replace(second=(other_ni, place)))) for place in places(drawn, b"\0" + _FRESH[1:])
        }
        next_ones.append(("second", sorted(found)))
    return next_ones


def _answer(pair: Pair) -> tuple[object, ...]:
    """What each end's code says, and whether the lowest nonce of one exchange is lower than that of the other."""
    first, second, spis = pair.first, pair.second, pair.spis
    # The responders' SPIs decide nothing: the initiators' differ.
    ours, theirs = (spis[0], b""), (spis[1], b"")
    low, other_low = min(first), min(second)
    return (
        collisions.ours_is_redundant(first, second, ours, theirs) if pair.asks[0] else None,
        collisions.ours_is_redundant(second, first, theirs, ours) if pair.asks[1] else None,
        (low > other_low) - (low < other_low),
    )
