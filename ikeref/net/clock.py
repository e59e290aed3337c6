"""The time that an endpoint is told (Section 2.1: it only ever measures durations).

A clock is a function that gives seconds since any moment, and never goes back. Only this file and the event loop know
one.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]

monotonic: Clock = time.monotonic
"""The machine's clock."""


class ManualClock:
    """A clock that stands still until it is told, for tests and for stepping through a session."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        """Later by so many seconds; gives the new time. ValueError for a step back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
        return self._now
