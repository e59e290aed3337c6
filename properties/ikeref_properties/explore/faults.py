"""Seeded faults: the shipped code with one rule broken, which an exploration has to find (Sections 2.1, 2.8, 2.25).

A fault replaces one name of one module (or of `Turn`) while it is seeded, and nothing else. Each is a mistake that an
implementer could make, several of them literal readings of the RFC.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from ikeref.errors import Dropped
from ikeref.sa import child, collisions, informational, rekey, window
from ikeref.sa.turn import Turn
from ikeref.sa.values import IkeSa, Phase
from ikeref.sa.window import Position


class Fault(NamedTuple):
    """One broken rule."""

    name: str
    what: str
    section: str
    where: Any
    """The module or class."""
    attribute: str
    instead: Any


class _Nothing:
    """Of which nothing is an instance."""


def _nothing(*_: object, **__: object) -> None:
    return None


def _may_delete(turn: Turn, ike: IkeSa) -> bool:
    del turn
    return ike.phase is Phase.REKEYED


def _any_response(message_id: int, outstanding: tuple[int, ...]) -> int:
    del message_id
    return 0 if outstanding else -1


def _always_new(message_id: int, expected: int, size: int, answered: tuple[int, ...]) -> Position:
    del size, answered
    return Position.NEW if message_id <= expected else Position.OUTSIDE


_redundant = collisions.ours_is_redundant


def _highest(ours: Any, theirs: Any, our_spis: Any, their_spis: Any) -> bool:
    return not _redundant(ours, theirs, our_spis, their_spis)


def _first_nonce(ours: Any, theirs: Any, our_spis: Any, their_spis: Any) -> bool:
    del our_spis, their_spis
    return bool(ours[0] < theirs[0])


def _number(ours: Any, theirs: Any, our_spis: Any, their_spis: Any) -> bool:
    del our_spis, their_spis
    return min(map(int.from_bytes, ours)) < min(map(int.from_bytes, theirs))


def _never(*_: object) -> bool:
    return False


def _silent(*_: object) -> None:
    raise Dropped("nothing is answered", section="2.1")


_step = import_module("ikeref.sa.step")
"""The module; the package has a function of that name."""

FAULTS = (
    Fault("crossing-forgotten", "that a rekey crossed ours is not remembered", "2.8.1", child, "_note_rekey", _nothing),
    Fault("nobody-loses", "no SA is found redundant", "2.8.1", collisions, "ours_is_redundant", _never),
    Fault("highest-loses", "the lowest nonce wins", "2.8.1", collisions, "ours_is_redundant", _highest),
    Fault("first-nonces", "only Ni is compared, not Nr", "2.8.1", collisions, "ours_is_redundant", _first_nonce),
    Fault("nonces-as-numbers", "a prefix is not lower", "2.8.1", collisions, "ours_is_redundant", _number),
    Fault("winner-deletes-at-once", "the old IKE SA goes first", "2.8.2", _step, "_may_delete", _may_delete),
    Fault("candidate-lost", "a deleted IKE SA has no heir", "2.8.2", rekey, "promote_candidate", _nothing),
    Fault("rekey-amid-child", "an IKE SA is rekeyed amid a Child SA's", "2.25.1", rekey, "ChildRequest", _Nothing),
    Fault("rekey-amid-delete", "an IKE SA is rekeyed amid a Delete", "2.25.1", rekey, "Informational", _Nothing),
    Fault("delete-overtakes", "a Delete before the answer is forgotten", "1.4.1", informational, "_condemn", _nothing),
    Fault("never-outbound", "the responder never sends on the new SA", "2.8", Turn, "_open_outbound", _nothing),
    Fault("any-response", "any response answers a request", "2.1", window, "answered_by", _any_response),
    Fault("silent", "no request is answered", "2.1", _step, "_receive_request", _silent),
    Fault("twice", "a request that comes again is done again", "2.1", window, "request_position", _always_new),
)


def names() -> tuple[str, ...]:
    """The faults' names."""
    return tuple(fault.name for fault in FAULTS)


@contextmanager
def seeded(name: str) -> Iterator[None]:
    """The code has that fault meanwhile; none with an empty name. Raises KeyError for a name that is not one."""
    if not name:
        yield
        return
    fault = {each.name: each for each in FAULTS}[name]
    before: Callable[..., Any] = getattr(fault.where, fault.attribute)
    setattr(fault.where, fault.attribute, fault.instead)
    try:
        yield
    finally:
        setattr(fault.where, fault.attribute, before)
