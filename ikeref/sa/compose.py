"""Finding payloads in a message, and what a message must and must not hold (Sections 1.2, 1.3, 2.5)."""

from typing import TypeVar

from ikeref.errors import InvalidSyntax
from ikeref.registry import NotifyType
from ikeref.wire import N, Payload

P = TypeVar("P", bound=Payload)


def one(payloads: tuple[Payload, ...], kind: type[P], section: str) -> P:
    """The payload of that class. Raises InvalidSyntax where there is none, or more than one."""
    found = maybe(payloads, kind, section)
    if found is None:
        raise InvalidSyntax(f"the {kind.__name__} payload is missing", section=section, field=kind.__name__)
    return found


def maybe(payloads: tuple[Payload, ...], kind: type[P], section: str) -> P | None:
    """The payload of that class, or None. Raises InvalidSyntax where there is more than one."""
    found: P | None = None
    for payload in payloads:
        if type(payload) is kind:
            if found is not None:
                raise InvalidSyntax(f"more than one {kind.__name__} payload", section=section, field=kind.__name__)
            found = payload
    return found


def holds(payloads: tuple[Payload, ...], kind: type[P]) -> bool:
    """Whether there is a payload of that class."""
    for payload in payloads:  # noqa: SIM110  # twice as fast as a generator
        if type(payload) is kind:
            return True
    return False


def notification(payloads: tuple[Payload, ...], notify: int) -> N | None:
    """The first notification of that type (Section 3.10)."""
    for payload in payloads:
        if type(payload) is N and payload.type == notify:
            return payload
    return None


def window_size(size: int) -> tuple[Payload, ...]:
    """N(SET_WINDOW_SIZE) with how many requests we take at once; of 1 there is nothing to say (7296-2.3-02)."""
    return (N(NotifyType.SET_WINDOW_SIZE, size.to_bytes(4, "big")),) if size > 1 else ()


def first_error(payloads: tuple[Payload, ...]) -> N | None:
    """The first error notification: any type below 16384, known or not, fails the request (7296-3.10.1-01)."""
    for payload in payloads:
        if type(payload) is N and payload.type < NotifyType.INITIAL_CONTACT:
            return payload
    return None
