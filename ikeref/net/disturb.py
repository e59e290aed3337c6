"""A network that loses, duplicates and reorders, the same way each time for the same seed (Section 2: UDP does all
three).

The fate of a datagram depends on the seed and on its number alone, so a run can be repeated, and one fate can be looked
up without playing what came before. One `Disturbance` serves one direction: if it counted both, `drop_every=2` would
lose each response.
"""

import random
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Profile(NamedTuple):
    """How a network disturbs. Probabilities are from 0 to 1; `every` counts from the first datagram, 0 for never."""

    seed: int = 0
    drop: float = 0.0
    drop_every: int = 0
    duplicate: float = 0.0
    duplicate_every: int = 0
    reorder: float = 0.0
    reorder_every: int = 0


class Fate(NamedTuple):
    """What happens to one datagram."""

    dropped: bool = False
    duplicated: bool = False
    held: bool = False
    """It arrives after the next one."""


def fate(profile: Profile, number: int) -> Fate:
    """The fate of datagram `number`, counted from 1. Who is dropped is neither duplicated nor held."""
    draw = random.Random(profile.seed << 32 | number)
    chances = draw.random(), draw.random(), draw.random()
    if chances[0] < profile.drop or _is_due(profile.drop_every, number):
        return Fate(dropped=True)
    return Fate(
        duplicated=chances[1] < profile.duplicate or _is_due(profile.duplicate_every, number),
        held=chances[2] < profile.reorder or _is_due(profile.reorder_every, number),
    )


def _is_due(every: int, number: int) -> bool:
    return every > 0 and number % every == 0


class Passed(NamedTuple, Generic[T]):
    """What comes out of a disturbed network when something is put in, in this order."""

    fate: Fate
    """Of what was put in."""
    items: tuple[T, ...]


class Disturbance(Generic[T]):
    """Passes on values of any kind (datagrams, or datagrams with addresses) as its profile says; holds one at most.

    A held value comes out behind the next one that is not dropped; a retransmission will do. `flush` gives it free.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.count = 0
        """Values put in so far."""
        self._held: tuple[T, ...] = ()

    def put(self, item: T) -> Passed[T]:
        """Send one value into the network."""
        self.count += 1
        its = fate(self.profile, self.count)
        if its.dropped:
            return Passed(its, ())
        items = (item, item) if its.duplicated else (item,)
        if its.held and not self._held:
            self._held = items
            return Passed(its, ())
        held, self._held = self._held, ()
        return Passed(its._replace(held=False), (*items, *held))

    def flush(self) -> tuple[T, ...]:
        """What is still held."""
        held, self._held = self._held, ()
        return held
