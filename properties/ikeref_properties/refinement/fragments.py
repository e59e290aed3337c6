"""When a message that comes in fragments has arrived (RFC 7383 section 2.6): for those who watch, as for the receiver.

To the model a message is one, however it travels. It arrives with the fragment that completes it; when it was answered,
its first fragment stands for the whole (7383-2.6.1-02). Time is not looked at: a watcher does not forget fragments.
"""

from typing import NamedTuple

from ikeref.registry import PayloadType
from ikeref.wire import SKF, Message, decode, peek
from ikeref.wire.encapsulation import Ike, split

WHOLE = (1, 1)


class _Set(NamedTuple):
    total: int
    numbers: frozenset[int] = frozenset()
    complete: bool = False


def part_of(datagram: bytes, encapsulated: bool) -> tuple[int, int]:
    """Fragment Number and Total Fragments of a datagram; `WHOLE` for a message that is not in fragments."""
    if encapsulated:
        content = split(datagram)
        if type(content) is not Ike:
            return WHOLE
        datagram = content.datagram
    if peek(datagram).next_payload != PayloadType.SKF:
        return WHOLE
    (closed,) = decode(datagram).payloads
    assert isinstance(closed, SKF)
    return closed.fragment_number, closed.total_fragments


class Assembly:
    """What has come to one end so far. Mutable."""

    def __init__(self) -> None:
        self._sets: dict[tuple[bytes, bytes, int, bool], _Set] = {}

    def arrives(self, message: Message, part: tuple[int, int]) -> bool:
        """A fragment of a message is there: whether the message is."""
        if part == WHOLE:
            return True
        number, total = part
        key = (message.spi_i, message.spi_r, message.message_id, message.is_response)
        known = self._sets.get(key, _Set(total))
        if known.complete:
            return number == 1
        if total < known.total:
            return False
        numbers = (known.numbers if total == known.total else frozenset()) | {number}
        self._sets[key] = _Set(total, numbers, len(numbers) == total)
        return len(numbers) == total
