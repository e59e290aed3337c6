"""Message IDs and retransmission: the decision kernels (Sections 2.1 to 2.3).

Plain functions of numbers. `ikeref.sa.step` asks them about every protected message.
"""

from enum import IntEnum

LAST_MESSAGE_ID = 0xFFFFFFFF
RENEWAL = LAST_MESSAGE_ID - 0xFFFF
"""From this message ID on an IKE SA is rekeyed: time enough to do it before the last one (Section 2.2)."""


class Position(IntEnum):
    """Where a message ID lies."""

    NEW = 1
    """The next request: process it."""
    AGAIN = 2
    """One whose response is kept: send the same response (7296-2.1-04)."""
    OUTSIDE = 3
    """Neither: its response is forgotten (7296-2.1-08), or it is beyond the window (7296-2.3-16)."""


def request_position(message_id: int, expected: int, size: int, answered: tuple[int, ...]) -> Position:
    """Where the message ID of a request lies, if `expected` is the lowest unanswered one, our window has that size, and
    the responses to `answered` are kept (Section 2.3)."""
    if message_id in answered:
        return Position.AGAIN
    if expected <= message_id < expected + size:
        return Position.NEW
    return Position.OUTSIDE


def next_expected(expected: int, answered: tuple[int, ...]) -> int:
    """The lowest message ID without an answer, from `expected` on (Section 2.3)."""
    while expected in answered:
        expected += 1
    return expected


def kept(answered: tuple[int, ...], message_id: int, size: int) -> tuple[int, ...]:
    """The message IDs whose responses are kept once `message_id` is answered too: a requester that has gone on to X has
    had the responses up to X - size (7296-2.3-09, 7296-2.3-11)."""
    latest = max(message_id, *answered, message_id)
    return tuple([each for each in (*answered, message_id) if each > latest - size])


def has_room(next_request: int, outstanding: tuple[int, ...], size: int) -> bool:
    """Whether the peer's window, which has that size, has room for our next request (7296-2.3-09)."""
    return not outstanding or next_request < min(outstanding) + size


def answered_by(message_id: int, outstanding: tuple[int, ...]) -> int:
    """To which of our unanswered requests a response belongs, counted from 0; -1: to none, so that it is to be ignored
    (7296-2.2-06)."""
    for place, asked in enumerate(outstanding):
        if message_id == asked:
            return place
    return -1


def widened(size: int, announced: int) -> int:
    """The peer's window after SET_WINDOW_SIZE: it never shrinks (7296-2.3-13)."""
    return max(size, announced)


def exhausted(next_request: int) -> bool:
    """Whether no message ID is left: the IKE SA has to be closed or rekeyed before (Section 2.2)."""
    return next_request > LAST_MESSAGE_ID


def wait(transmissions: int, initial: float, base: float) -> float:
    """Seconds from the n-th transmission (1 is the first) to the next, growing exponentially (7296-2.4-15)."""
    return float(initial * base ** (transmissions - 1))


def patience(initial: float, base: float, tries: int) -> float:
    """Seconds from a request to giving up on its response (7296-2.1-09)."""
    return sum(wait(n, initial, base) for n in range(1, tries + 2))
