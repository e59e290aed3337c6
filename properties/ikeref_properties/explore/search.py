"""Breadth-first search over the states of two real ends, and what it found."""

from array import array
from collections import Counter, deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from ikeref_properties.explore import checks
from ikeref_properties.explore.fingerprint import SOUND, Merging, fingerprint
from ikeref_properties.explore.local import NOTHING, Local
from ikeref_properties.explore.moves import Moves, Successor
from ikeref_properties.explore.start import start
from ikeref_properties.explore.values import Action, Bounds, Deviation, Left

_PAUSE = 256
"""States between two reports of progress."""


class Progress(NamedTuple):
    """How far a search has come."""

    states: int
    frontier: int
    checked: int
    """Steps judged so far."""
    seconds: float


class Counterexample(NamedTuple):
    """A shortest way to a deviation."""

    deviation: Deviation
    schedule: tuple[Action, ...]
    steps: tuple[Successor, ...]


class Result(NamedTuple):
    """What a search found."""

    bounds: Bounds
    states: int
    edges: int
    checked: int
    """Steps judged: each an input to an end in a state, with its outputs and what came of it."""
    made: int
    """Steps of the code that were made for it; a step of an end is made once for all states that share the end."""
    resting: int
    depth: int
    seconds: float
    complete: bool
    """Whether the frontier is empty: every state within the bounds was seen."""
    taken: Counter[str]
    """How often each kind of action was taken."""
    behaviours: frozenset[str]
    """What ends did, in words that don't depend on names and numbers."""
    counterexample: Counterexample | None

    @property
    def rate(self) -> float:
        """Checked steps a second."""
        return self.checked / self.seconds if self.seconds else 0.0


class Search:
    """A search in progress."""

    def __init__(self, bounds: Bounds, *, merging: Merging = SOUND, tidy: bool = True) -> None:
        self.bounds = bounds
        self._merging = merging
        self._tidy = tidy
        self.start, pair = start(bounds)
        self._connections = (pair.connections["A"], pair.connections["B"])
        self.sample = next(f.message for f in reversed(pair.past) if f.message is not None)
        """A message of an ordinary size, to measure by: the IKE_AUTH response, in clear."""
        self._local = Local(self._connections, every_nonce=bounds.every_nonce)
        self.moves = Moves(self._local, bounds, tidy=tidy)
        self._seen: dict[bytes, int] = {fingerprint(self.start, merging): 0}
        self._left = [self.start.left]
        self._more: dict[int, int] = {}
        """The same state, seen before with less left of something."""
        self._parent = array("I", [0])
        self._ordinal = array("H", [0])
        self._depth = array("H", [0])
        self._edges_from, self._edges_to = array("I"), array("I")
        """Steps that fair ends and a fair network take by themselves."""
        self._rests = bytearray(b"\0")
        self.taken: Counter[str] = Counter()
        self.behaviours: set[str] = set()

    def run(
        self,
        *,
        seconds: float = float("inf"),
        states: int = 10**9,
        watch: Callable[[Progress], None] | None = None,
    ) -> Result:
        """Search until nothing is left, something is found, or a limit is reached."""
        begun = monotonic()
        frontier = deque([self.start])
        indices = deque([0])
        edges, found, level = 0, None, 0
        while frontier and found is None:
            state, index = frontier.popleft(), indices.popleft()
            if self._depth[index] != level:
                level = self._depth[index]
                self._local.forget()
            if checks.resting(state):
                self._rests[index] = 1
                deviation = checks.at_rest(state)
                if deviation is not None:
                    found = self._counterexample(index, None, deviation)
                    break
            for ordinal, successor in enumerate(self.moves.successors(state)):
                edges += 1
                self._note(successor)
                if successor.deviation is not None:
                    found = self._counterexample(index, ordinal, successor.deviation)
                    break
                mark, left = fingerprint(successor.state, self._merging), successor.state.left
                known = self._known(mark, left)
                if known is None:
                    known = self._add(mark, left, index, ordinal)
                    frontier.append(successor.state)
                    indices.append(known)
                if successor.action.moves:
                    self._edges_from.append(index)
                    self._edges_to.append(known)
            if index % _PAUSE == 0:
                spent = monotonic() - begun
                if watch is not None:
                    watch(Progress(len(self._seen), len(frontier), self.moves.checked, spent))
                if spent > seconds or len(self._seen) >= states:
                    break
        complete = not frontier and found is None
        if complete:
            found = self._stuck()
        return Result(
            self.bounds,
            len(self._seen),
            edges,
            self.moves.checked,
            self._local.steps,
            sum(self._rests),
            max(self._depth),
            monotonic() - begun,
            complete,
            self.taken,
            frozenset(self.behaviours | self.moves.behaviours - {NOTHING}),
            found,
        )

    def _known(self, mark: bytes, left: Left) -> int | None:
        """The same state, seen with at least as much left: whatever may happen now may happen there."""
        index = self._seen.get(mark)
        while index is not None:
            if _covers(self._left[index], left):
                return index
            index = self._more.get(index)
        return None

    def _add(self, mark: bytes, left: Left, parent: int, ordinal: int) -> int:
        index = len(self._left)
        before = self._seen.get(mark)
        if before is not None:
            self._more[index] = before
        self._seen[mark] = index
        self._left.append(left)
        self._parent.append(parent)
        self._ordinal.append(ordinal)
        self._depth.append(self._depth[parent] + 1)
        self._rests.append(0)
        return index

    def _note(self, successor: Successor) -> None:
        action = successor.action
        self.taken[action.what if action.command is None else type(action.command).__name__] += 1
        if successor.branch is not None and action.what != "retransmit" and successor.branch.behaviour != NOTHING:
            self.behaviours.add(successor.branch.behaviour)

    def _counterexample(self, index: int, ordinal: int | None, deviation: Deviation) -> Counterexample:
        ordinals = [] if ordinal is None else [ordinal]
        while index:
            ordinals.append(self._ordinal[index])
            index = self._parent[index]
        state, steps = self.start, []
        for number in reversed(ordinals):
            successor = next(s for n, s in enumerate(self.moves.successors(state)) if n == number)
            steps.append(successor)
            state = successor.state
        return Counterexample(deviation, tuple(step.action for step in steps), tuple(steps))

    def _stuck(self) -> Counterexample | None:
        """A state from which deliveries and timers alone never bring rest; the nearest to the start."""
        count = len(self._left)
        into: list[list[int]] = [[] for _ in range(count)]
        for source, target in zip(self._edges_from, self._edges_to):
            into[target].append(source)
        good = bytearray(self._rests)
        todo = [index for index in range(count) if good[index]]
        while todo:
            for source in into[todo.pop()]:
                if not good[source]:
                    good[source] = 1
                    todo.append(source)
        index = good.find(0)
        if index < 0:
            return None
        return self._counterexample(index, None, Deviation("rest can be reached", "from here on it can't"))


def _covers(more: Left, less: Left) -> bool:
    return (
        more.commands[0] >= less.commands[0]
        and more.commands[1] >= less.commands[1]
        and more.losses >= less.losses
        and more.duplicates >= less.duplicates
    )
