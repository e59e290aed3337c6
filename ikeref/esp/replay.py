"""Which sequence numbers are new (RFC 4303 sections 3.4.3 and A2): the anti-replay window of an inbound SA."""

from typing import Final, NamedTuple

SIZE: Final = 1024
"""How far, in packets, one may be behind the newest (RFC 4303 section 3.4.3 wants 32 at least, and likes 64)."""

_HALF: Final = 1 << 32


class Window(NamedTuple):
    """What has been received: the highest number, and a bit for each of the `SIZE` numbers up to it."""

    top: int = 0
    """Highest number whose packet was authentic; 0: none yet."""
    seen: int = 0
    """Bit n: `top` - n was received."""

    def whole(self, low: int, esn: bool) -> int:
        """The sequence number whose lower 32 bits are `low`: with ESN the one nearest to the window (section A2)."""
        if not esn:
            return low
        epoch = self.top - self.top % _HALF
        bottom = max(0, self.top - SIZE + 1)
        number = epoch + low
        if number < bottom:
            return number + _HALF
        if number - _HALF >= bottom:  # the window begins in the epoch before
            return number - _HALF
        return number

    def is_new(self, number: int) -> bool:
        """Whether a packet with that number may be authenticated at all. 0 is never sent (section 2.2)."""
        behind = self.top - number
        return number > 0 and (behind < 0 or (behind < SIZE and not self.seen >> behind & 1))

    def received(self, number: int) -> "Window":
        """After an authentic packet with that number, which was new."""
        if number > self.top:
            return Window(number, (self.seen << number - self.top | 1) & (1 << SIZE) - 1)
        return self._replace(seen=self.seen | 1 << self.top - number)


NEW_WINDOW: Final = Window()
