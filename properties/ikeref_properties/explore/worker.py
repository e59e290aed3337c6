"""One process's part of a breadth-first search: it expands states level by level, and keeps those that it made.

States stay where they were made: workers tell the search fingerprints, and the search tells which of them are new.
"""

import io
import pickle
from array import array
from collections import Counter
from collections.abc import Callable
from time import process_time
from typing import Any, NamedTuple

from ikeref_properties.explore import checks
from ikeref_properties.explore.comparison import Verdicts
from ikeref_properties.explore.fingerprint import Mark, Merging, fingerprint
from ikeref_properties.explore.local import NOTHING, Local
from ikeref_properties.explore.moves import Moves, Successor
from ikeref_properties.explore.skeleton import Origin
from ikeref_properties.explore.values import Bounds, Deviation, Left, State

_PAUSE = 64
"""States between two looks at the clock."""
REST = -1
"""In place of a step's number: the state itself, at rest."""


class Seen(NamedTuple):
    """What a search saw, besides states."""

    cpu: float = 0.0
    """Seconds of all processes together, spent on states."""
    checked: int = 0
    """Steps judged: each an input to an end in a state, with its outputs and what came of it."""
    made: int = 0
    """Steps of the code that were made for it; a step of an end is made once for many states that share the end."""
    taken: Counter[str] = Counter()  # noqa: RUF012 (never changed in place)
    """How often each kind of action was taken."""
    behaviours: frozenset[str] = frozenset()
    """What ends did, in words that don't depend on names and numbers, nor on which end it was."""
    rests: frozenset[tuple[object, ...]] = frozenset()
    """What both ends have in states at rest."""
    rows: Counter[tuple[str, str]] = Counter()  # noqa: RUF012 (never changed in place)
    """The rows that explain the steps made, each with the answer given; how often."""
    questions: int = 0
    """Different questions that the rows were asked: abstract state, observation, abstract state."""

    def plus(self, other: "Seen") -> "Seen":
        """What two workers saw."""
        return Seen(
            self.cpu + other.cpu,
            self.checked + other.checked,
            self.made + other.made,
            self.taken + other.taken,
            self.behaviours | other.behaviours,
            self.rests | other.rests,
            self.rows + other.rows,
            self.questions + other.questions,
        )


class Found(NamedTuple):
    """Where something deviates: after this step of that state."""

    state: int
    ordinal: int
    deviation: Deviation


class Level(NamedTuple):
    """The steps of a worker's states, in order."""

    states: "array[int]"
    """From which state, by number."""
    ordinals: "array[int]"
    """Which of its steps."""
    marks: list[bytes]
    left: list[int]
    """As `pack` makes them."""
    single: bytearray
    """Whether the state is the same with the ends in each other's place, so that it stands for one and not for two."""
    fair: bytearray
    """Whether fair ends and a fair network take the step without being told."""
    resting: list[int]
    """States at rest."""
    found: Found | None
    complete: bool
    """Whether there was time for all."""


def pack(left: Left, turned: bool) -> int:
    """What is left, as a number, the ends in the order of the fingerprint."""
    first, second = left.commands
    if turned:
        first, second = second, first
    return first << 24 | second << 16 | left.losses << 8 | left.duplicates


class Worker:
    """Expands states. Mutable."""

    def __init__(self, local: Local, bounds: Bounds, origin: Origin, merging: Merging, *, tidy: bool) -> None:
        self._local = local
        self._bounds = bounds
        self.moves = Moves(local, bounds, tidy=tidy)
        self._origin = origin
        self._merging = merging
        self._verdicts = Verdicts()
        self.frontier: list[tuple[State, int]] = []
        """With their numbers."""
        self._pending: list[State | None] = []
        self._taken: Counter[str] = Counter()
        self._behaviours: set[str] = set()
        self._rests: set[tuple[object, ...]] = set()
        self._cpu = 0.0

    def begin(self, frontier: list[tuple[State, int]]) -> None:
        """In a process of its own: with these states, nothing seen yet."""
        self.frontier = frontier
        self.moves.checked = self._local.steps = 0
        self._cpu = 0.0
        for seen in (self._taken, self._behaviours, self._rests, self.moves.behaviours):
            seen.clear()
        self._local.referee.forget()

    def expand(self, watch: Callable[[int, int], bool]) -> Level:
        """All steps of the states at hand; stops where something deviates, and when `watch` says that it is time."""
        before = process_time()
        level = self._expand(watch)
        self._cpu += process_time() - before
        return level

    def _expand(self, watch: Callable[[int, int], bool]) -> Level:
        level = Level(array("I"), array("H"), [], [], bytearray(), bytearray(), [], None, True)
        self._pending = []
        made: set[tuple[bytes, int]] = set()
        self._local.forget()
        for number, (state, index) in enumerate(self.frontier):
            if number % _PAUSE == 0 and watch(number, self.moves.checked):
                return level._replace(complete=False)
            if checks.resting(state):
                level.resting.append(index)
                self._rests.add(checks.visible(state, self._origin))
                deviation = checks.at_rest(state)
                if deviation is not None and not self._bounds.give_up:
                    return level._replace(found=Found(index, REST, deviation))
            kept: list[State] = []  # so that no other end gets the same id
            marks: dict[tuple[object, ...], Mark] = {}
            for ordinal, successor in enumerate(self.moves.successors(state)):
                self._note(successor)
                if successor.deviation is not None:
                    return level._replace(found=Found(index, ordinal, successor.deviation))
                # What is lost or doubled mostly leads where other steps lead: to the very same ends and datagrams.
                after = successor.state
                same = (*map(id, after.ends), *after.left.commands, *sorted([each.datagram for each in after.flights]))
                known_mark = marks.get(same)
                if known_mark is None:
                    known_mark = marks[same] = fingerprint(after, self._origin, self._merging, self._verdicts)
                    kept.append(after)
                mark, turned, single = known_mark
                left = pack(after.left, turned)
                level.states.append(index)
                level.ordinals.append(ordinal)
                level.marks.append(mark)
                level.left.append(left)
                level.single.append(single)
                level.fair.append(successor.action.moves)
                known = (mark, left) in made
                made.add((mark, left))
                self._pending.append(None if known else successor.state)
        return level

    def keep(self, new: list[tuple[int, int]]) -> None:
        """Go on with these of the states just made, each with its number."""
        frontier = []
        for place, index in new:
            state = self._pending[place]
            assert state is not None
            frontier.append((state, index))
        self.frontier, self._pending = frontier, []

    def _note(self, successor: Successor) -> None:
        action = successor.action
        self._taken[action.what if action.command is None else type(action.command).__name__] += 1
        if successor.branch is not None and action.what != "retransmit" and successor.branch.behaviour != NOTHING:
            self._behaviours.add(successor.branch.behaviour)

    def seen(self) -> Seen:
        """What was seen so far."""
        return Seen(
            self._cpu,
            self.moves.checked,
            self._local.steps,
            self._taken,
            frozenset(self._behaviours | self.moves.behaviours - {NOTHING}),
            frozenset(self._rests),
            self._local.referee.taken,
            self._local.referee.questions,
        )

    # States that go to another process

    def give(self, count: int) -> bytes:
        """Some of the states, for another worker."""
        given, self.frontier = self.frontier[-count:], self.frontier[:-count]
        return _dumped(given, self._local.constants)

    def take(self, octets: bytes) -> None:
        """Another worker's states."""
        self.frontier += _loaded(octets, self._local.constants)
        self.frontier.sort(key=lambda each: each[1])


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, constants: tuple[object, ...]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._known = {id(each): place for place, each in enumerate(constants)}

    def persistent_id(self, obj: Any) -> int | None:
        return self._known.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, constants: tuple[object, ...]) -> None:
        super().__init__(file)
        self._constants = constants

    def persistent_load(self, pid: Any) -> object:
        return self._constants[pid]


def _dumped(value: object, constants: tuple[object, ...]) -> bytes:
    file = io.BytesIO()
    _Pickler(file, constants).dump(value)
    return file.getvalue()


def _loaded(octets: bytes, constants: tuple[object, ...]) -> Any:
    return _Unpickler(io.BytesIO(octets), constants).load()
