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
    """The request answered last: send the same response (7296-2.1-04)."""
    OUTSIDE = 3
    """Neither: its response is forgotten (7296-2.1-08), or it is beyond the window (7296-2.3-16)."""


def request_position(message_id: int, expected: int) -> Position:
    """Where the message ID of a request lies, if the next one is `expected` and one response is kept (Section 2.3)."""
    if message_id == expected:
        return Position.NEW
    if message_id == expected - 1:
        return Position.AGAIN
    return Position.OUTSIDE


def answers(message_id: int, outstanding: int | None) -> bool:
    """Whether a response belongs to the request that is unanswered; to none, it is to be ignored (7296-2.2-06)."""
    return outstanding is not None and message_id == outstanding


def exhausted(next_request: int) -> bool:
    """Whether no message ID is left: the IKE SA has to be closed or rekeyed before (Section 2.2)."""
    return next_request > LAST_MESSAGE_ID


def wait(transmissions: int, initial: float, base: float) -> float:
    """Seconds from the n-th transmission (1 is the first) to the next, growing exponentially (7296-2.4-15)."""
    return float(initial * base ** (transmissions - 1))


def patience(initial: float, base: float, tries: int) -> float:
    """Seconds from a request to giving up on its response (7296-2.1-09)."""
    return sum(wait(n, initial, base) for n in range(1, tries + 2))
