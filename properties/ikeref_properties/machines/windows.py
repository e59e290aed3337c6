"""Windows of any size, judged by what is sent and taken: part of the ledger (Section 2.3).

An end may send the requests below X + N, X its oldest unanswered one and N the largest size that its peer has
announced to it on that IKE SA; and it takes those below Y + M, Y the lowest that it has not taken and M what it has
announced itself. Sizes begin at 1 on every IKE SA and never shrink.
"""

from ikeref.registry import ExchangeType
from ikeref.wire import Message
from ikeref_properties.refinement.words import window_size

Place = tuple[str, tuple[bytes, bytes]]
"""An end, and SPIi and SPIr."""


class Windows:
    """What one run has shown of windows. Mutable."""

    def __init__(self) -> None:
        self._said: dict[Place, int] = {}
        """The size that an end has announced."""
        self._heard: dict[Place, int] = {}
        """The size that its peer has announced to it."""
        self._unanswered: dict[Place, set[int]] = {}
        """Requests of an end."""
        self._lowest: dict[Place, int] = {}
        """Of the peer's requests: the lowest that an end has not taken."""
        self._ahead: dict[Place, set[int]] = {}
        """Those above that it has."""

    def received(self, end: str, message: Message) -> str:
        """A message that an end accepts, for the first time; why it should not, or ""."""
        place, number = (end, (message.spi_i, message.spi_r)), message.message_id
        if message.is_response:
            self._unanswered.get(place, set()).discard(number)
        else:
            # IKE_SA_INIT had the Message ID 0; whoever rekeys begins at 0 too (Section 2.2).
            start = number if message.exchange_type == ExchangeType.IKE_AUTH else 0
            lowest, ahead = self._lowest.get(place, start), self._ahead.setdefault(place, set())
            if number >= lowest + self._said.get(place, 1):
                return f"{end} takes request {number}, and {lowest} has not come"
            ahead.add(number)
            while lowest in ahead:
                ahead.discard(lowest)
                lowest += 1
            self._lowest[place] = lowest
        self._heard[place] = max(self._heard.get(place, 1), window_size(message))
        return ""

    def sent(self, end: str, message: Message) -> str:
        """A message that an end sends, for the first time; why it should not, or ""."""
        place, number = (end, (message.spi_i, message.spi_r)), message.message_id
        self._said[place] = max(self._said.get(place, 1), window_size(message))
        if message.is_response:
            return ""
        unanswered, size = self._unanswered.setdefault(place, set()), self._heard.get(place, 1)
        oldest = min(unanswered, default=number)
        unanswered.add(number)
        if number >= oldest + size:
            return f"{end} sent request {number} while {oldest} was unanswered, and the peer takes {size} at once"
        return ""
