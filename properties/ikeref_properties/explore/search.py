"""Breadth-first search over the states of two real ends, and what it found."""

from array import array
from collections import Counter, deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from ikeref import sa
from ikeref_properties.explore import checks
from ikeref_properties.explore.fingerprint import SOUND, Merging, fingerprint
from ikeref_properties.explore.local import Local
from ikeref_properties.explore.moves import Moves, Successor
from ikeref_properties.explore.start import start
from ikeref_properties.explore.values import Action, Bounds, Deviation

_PAUSE = 2048
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
        self._start, pair = start(bounds)
        self._connections = (pair.connections["A"], pair.connections["B"])
        self._local = Local(self._connections, every_nonce=bounds.every_nonce)
        self._moves = Moves(self._local, bounds, tidy=tidy)
        self._seen: dict[bytes, int] = {fingerprint(self._start, merging): 0}
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
        frontier = deque([self._start])
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
            for ordinal, successor in enumerate(self._moves.successors(state)):
                edges += 1
                self._note(successor)
                if successor.deviation is not None:
                    found = self._counterexample(index, ordinal, successor.deviation)
                    break
                mark = fingerprint(successor.state, self._merging)
                known = self._seen.get(mark)
                if known is None:
                    known = self._add(mark, index, ordinal)
                    frontier.append(successor.state)
                    indices.append(known)
                if successor.action.moves:
                    self._edges_from.append(index)
                    self._edges_to.append(known)
            if index % _PAUSE == 0:
                spent = monotonic() - begun
                if watch is not None:
                    watch(Progress(len(self._seen), len(frontier), self._moves.checked, spent))
                if spent > seconds or len(self._seen) >= states:
                    break
        complete = not frontier and found is None
        if complete:
            found = self._stuck()
        return Result(
            self.bounds,
            len(self._seen),
            edges,
            self._moves.checked,
            self._local.steps,
            sum(self._rests),
            max(self._depth),
            monotonic() - begun,
            complete,
            self.taken,
            frozenset(self.behaviours),
            found,
        )

    def _add(self, mark: bytes, parent: int, ordinal: int) -> int:
        index = self._seen[mark] = len(self._seen)
        self._parent.append(parent)
        self._ordinal.append(ordinal)
        self._depth.append(self._depth[parent] + 1)
        self._rests.append(0)
        return index

    def _note(self, successor: Successor) -> None:
        action = successor.action
        self.taken[action.what if action.command is None else type(action.command).__name__] += 1
        self.behaviours.add(behaviour(successor))

    def _counterexample(self, index: int, ordinal: int | None, deviation: Deviation) -> Counterexample:
        ordinals = [] if ordinal is None else [ordinal]
        while index:
            ordinals.append(self._ordinal[index])
            index = self._parent[index]
        state, steps = self._start, []
        for number in reversed(ordinals):
            successor = next(s for n, s in enumerate(self._moves.successors(state)) if n == number)
            steps.append(successor)
            state = successor.state
        return Counterexample(deviation, tuple(step.action for step in steps), tuple(steps))

    def _stuck(self) -> Counterexample | None:
        """A state from which deliveries and timers alone never bring rest; the nearest to the start."""
        count = len(self._seen)
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


def behaviour(successor: Successor) -> str:
    """What an end did, without names and numbers: to compare what two searches saw."""
    words = [successor.action.what, str(successor.action.end)]
    for output in successor.outputs:
        match output:
            case sa.Received(message) | sa.Transmit(message=message) | sa.Replayed(message=message):
                if message is not None:
                    payloads = "/".join(type(payload).__name__ for payload in message.payloads)
                    words.append(f"{type(output).__name__} {message.exchange_type} {message.flags} {payloads}")
            case sa.Install(inbound, child) | sa.Remove(inbound, child):
                kind = "in" if inbound else "out"
                words.append(f"{type(output).__name__} {kind} {child.initiator} {child.redundant} {child.state}")
            case sa.Closed(reason=reason):
                words.append(f"Closed {reason}")
            case sa.Failed(what, reason):
                words.append(f"Failed {what} {reason}")
            case _:
                words.append(type(output).__name__)
    return "; ".join(words)


