"""Breadth-first search over the states of two real ends, on every core, and what it found."""

import gc
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from ikeref_model.rows import Row

from ikeref.crypto import Provider
from ikeref.crypto.free import FreeCrypto
from ikeref_properties.explore.crew import Alone, Crew
from ikeref_properties.explore.fingerprint import SOUND, Merging, fingerprint
from ikeref_properties.explore.local import Local
from ikeref_properties.explore.moves import Moves, Successor
from ikeref_properties.explore.skeleton import Origin
from ikeref_properties.explore.start import settings, start
from ikeref_properties.explore.values import Action, Bounds, Deviation, State
from ikeref_properties.explore.worker import REST, Found, Level, Seen, Worker, pack

_ENOUGH = 200
"""States for each process before there are several."""


Begins = Callable[[State, Origin], State]
"""Another state to begin with, made of the usual one."""


class Progress(NamedTuple):
    """How far a search has come."""

    states: int
    frontier: int
    """States of this level that are to be gone on from."""
    depth: int
    checked: int
    """Steps judged so far."""
    seconds: float


class Counterexample(NamedTuple):
    """A shortest way to a deviation."""

    deviation: Deviation
    schedule: tuple[Action, ...]
    steps: tuple[Successor, ...]
    ordinals: tuple[int, ...] = ()
    """Which step it is of all those that are possible in a state: enough to do the same again."""


class Result(NamedTuple):
    """What a search found."""

    bounds: Bounds
    states: int
    apart: int
    """The same with the ends told apart: a state and the one with the ends in each other's place are two."""
    edges: int
    seen: Seen
    resting: int
    depth: int
    seconds: float
    complete: bool
    """Whether the frontier is empty: every state within the bounds was seen."""
    processes: int
    counterexample: Counterexample | None

    @property
    def rate(self) -> float:
        """Judged steps a second and core."""
        return self.seen.checked / self.seen.cpu if self.seen.cpu else 0.0

    @property
    def taken(self) -> Counter[str]:
        """How often each kind of action was taken."""
        return self.seen.taken

    @property
    def behaviours(self) -> frozenset[str]:
        """What ends did."""
        return self.seen.behaviours


class Search:
    """A search in progress."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        merging: Merging = SOUND,
        tidy: bool = True,
        processes: int = 1,
        rows: tuple[Row, ...] | None = None,
        judged: bool = True,
        crypto: Callable[[], Provider] = FreeCrypto,
    ) -> None:
        """`rows` are others than the model's, for seeded faults; with `judged` False the rows are not asked.
        With real cryptography a schedule can be replayed, but states can't be told apart."""
        self.bounds = bounds
        self._rows = rows
        self._judged = judged
        if not bounds.every_nonce or bounds.groups:
            # A's nonces are the lower ones, always; or the ends differ in policy.
            merging = merging._replace(symmetry=False)
        self._merging = merging
        self._tidy = tidy
        self._processes = processes
        self._crypto = crypto
        self.start, self.origin, pair = start(bounds, crypto=crypto)
        self.handshake = tuple(pair.records)
        self._connections = (pair.connections["A"], pair.connections["B"])
        self.sample = next(f.message for f in reversed(pair.past) if f.message is not None)
        """A message of an ordinary size, to measure by: the IKE_AUTH response, in clear."""
        mark, turned, single = fingerprint(self.start, self.origin, merging)
        self._apart = 1 if single else 2
        self._seen: dict[bytes, int] = {mark: 0}
        self._left = array("I", [pack(self.start.left, turned)])
        self._more: dict[int, int] = {}
        """The same state, seen before with less left of something."""
        self._parent = array("I", [0])
        self._ordinal = array("h", [REST])
        self._edges_from, self._edges_to = array("I"), array("I")
        """Steps that fair ends and a fair network take by themselves."""
        self._rests = bytearray(b"\0")

    def moves(self) -> Moves:
        """What may happen in a state; with a memory of its own."""
        return Moves(self._local(), self.bounds, tidy=self._tidy)

    def _local(self) -> Local:
        return Local(
            self._connections,
            self.origin,
            every_nonce=self.bounds.every_nonce,
            settings=settings(self.bounds),
            rows=self._rows,
            judged=self._judged,
            crypto=self._crypto(),
        )

    def run(
        self,
        *,
        seconds: float = float("inf"),
        states: int = 10**9,
        watch: Callable[[Progress], None] | None = None,
    ) -> Result:
        """Search until nothing is left, something is found, or a limit is reached; Ctrl-C counts as one."""
        with _uncollected():
            return self._run(seconds, states, watch)

    def _run(self, seconds: float, states: int, watch: Callable[[Progress], None] | None) -> Result:
        begun = monotonic()
        worker = Worker(self._local(), self.bounds, self.origin, self._merging, tidy=self._tidy)
        worker.frontier = [(self.start, 0)]
        crew: Alone | Crew = Alone(worker)
        edges, depth, waiting, processes = 0, 0, 1, 1
        found: Found | None = None
        complete = True

        def tell(done: int, checked: int) -> bool:
            spent = monotonic() - begun
            if watch is not None:
                watch(Progress(len(self._seen), waiting - done, depth, checked, spent))
            return spent > seconds

        try:
            while waiting and found is None and complete and (depth < self.bounds.steps or not self.bounds.steps):
                if processes < self._processes and waiting >= _ENOUGH * self._processes:
                    crew, processes = Crew(worker, self._processes), self._processes
                levels = crew.expand(tell)
                found = min((each.found for each in levels if each.found is not None), default=None)
                complete = all(each.complete for each in levels) and len(self._seen) < states
                new = self._merge(levels)
                edges += sum(len(each.states) for each in levels)
                crew.keep(new)
                waiting = sum(map(len, new))
                depth += 1
            complete = complete and found is None
            seen = crew.seen()
        except KeyboardInterrupt:
            complete, seen = False, crew.seen()
        finally:
            crew.close()
        if complete and not waiting:
            found = self._stuck()
        return Result(
            self.bounds,
            len(self._seen),
            self._apart,
            edges,
            seen,
            sum(self._rests),
            depth,
            monotonic() - begun,
            complete,
            processes,
            self._counterexample(found) if found is not None else None,
        )

    def _merge(self, levels: list[Level]) -> list[list[tuple[int, int]]]:
        """Number what is new, in the order of the states that it comes from; for each worker what to keep."""
        new: list[list[tuple[int, int]]] = [[] for _ in levels]
        order = [(each.states[at], place, at) for place, each in enumerate(levels) for at in range(len(each.states))]
        if len(levels) > 1:
            order.sort()
        for parent, place, at in order:
            level = levels[place]
            mark, left = level.marks[at], level.left[at]
            known = self._known(mark, left)
            if known is None:
                if mark not in self._seen:
                    self._apart += 1 if level.single[at] else 2
                known = self._add(mark, left, parent, level.ordinals[at])
                new[place].append((at, known))
            if level.fair[at]:
                self._edges_from.append(parent)
                self._edges_to.append(known)
        for level in levels:
            for index in level.resting:
                self._rests[index] = 1
        return new

    def _known(self, mark: bytes, left: int) -> int | None:
        """The same state, seen with at least as much left: whatever may happen now may happen there."""
        index = self._seen.get(mark)
        while index is not None:
            if _covers(self._left[index], left):
                return index
            index = self._more.get(index)
        return None

    def _add(self, mark: bytes, left: int, parent: int, ordinal: int) -> int:
        index = len(self._left)
        before = self._seen.get(mark)
        if before is not None:
            self._more[index] = before
        self._seen[mark] = index
        self._left.append(left)
        self._parent.append(parent)
        self._ordinal.append(ordinal)
        self._rests.append(0)
        return index

    def _counterexample(self, found: Found) -> Counterexample:
        """The way there, step by step. A schedule says which step of which state, so it leads there again."""
        index = found.state
        ordinals = [] if found.ordinal == REST else [found.ordinal]
        while index:
            ordinals.append(self._ordinal[index])
            index = self._parent[index]
        steps = self.replay(tuple(reversed(ordinals)))
        return Counterexample(found.deviation, tuple(step.action for step in steps), steps, tuple(reversed(ordinals)))

    def replay(self, ordinals: tuple[int, ...], begins: Begins | None = None) -> tuple[Successor, ...]:
        """The steps of a schedule, done again from the start."""
        moves, state, steps = self.moves(), self.start if begins is None else begins(self.start, self.origin), []
        for number in ordinals:
            successor = next(s for n, s in enumerate(moves.successors(state)) if n == number)
            steps.append(successor)
            state = successor.state
        return tuple(steps)

    def _stuck(self) -> Found | None:
        """A state from which deliveries and timers alone never bring rest; the nearest to the start."""
        count = len(self._left)
        first = array("I", bytes(4 * (count + 2)))
        for target in self._edges_to:
            first[target + 2] += 1
        for index in range(2, count + 2):
            first[index] += first[index - 1]
        sources = array("I", bytes(4 * len(self._edges_to)))
        for source, target in zip(self._edges_from, self._edges_to, strict=True):
            sources[first[target + 1]] = source
            first[target + 1] += 1
        good = bytearray(self._rests)
        todo = [index for index in range(count) if good[index]]
        while todo:
            target = todo.pop()
            for place in range(first[target], first[target + 1]):
                source = sources[place]
                if not good[source]:
                    good[source] = 1
                    todo.append(source)
        index = good.find(0)
        if index < 0:
            return None
        return Found(index, REST, Deviation("rest can be reached", "from here on it can't"))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles: states have none, and there are many, so that looking takes a third of the time.

    The crew's processes are forked amid this, and look for none either.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _covers(more: int, less: int) -> bool:
    """Whether there is as much left of everything, as `worker.pack` puts it."""
    return all(more >> place & 0xFF >= less >> place & 0xFF for place in (24, 16, 8, 0))
