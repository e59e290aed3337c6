"""What who reads along remembers of an end: what it has asked, and what it has answered (Sections 2.1 to 2.3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from ikeref_model.endpoint_state import counted
from ikeref_model.events import Change, Kind, Observation

from ikeref import sa
from ikeref.wire import Message


class Outstanding(NamedTuple):
    """A request of this end without a response."""

    message: Message
    kind: Kind
    crossing: tuple[bytes, bytes] | None = None
    """Ni and Nr of the peer's rekey of the same SA, answered meanwhile (Sections 2.8.1, 2.8.2)."""


class Taken(NamedTuple):
    """The peer's requests on one IKE SA as this end has answered them (Section 2.3)."""

    seen: int = 0
    """The lowest Message ID that was not answered."""
    ahead: tuple[int, ...] = ()
    """Those above it that were."""
    window: int = 1
    """How many this end takes at once: the largest size that it has announced."""

    def after(self, number: int) -> "Taken":
        """The same when that request was answered too."""
        return Taken(*counted(number, self.seen, self.ahead), self.window)


def extended(observation: Observation, changes: tuple[Change, ...]) -> Observation:
    """The same with further changes."""
    return replace(observation, changes=(*observation.changes, *changes))


def messages(outputs: tuple[sa.Output, ...]) -> Iterator[tuple[Message, bool]]:
    """The messages sent, and whether they were sent before."""
    for output in outputs:
        if type(output) is sa.Transmit and output.message is not None:
            yield output.message, output.again
