"""Runs of the real code as an oracle: what two ends did, in the model's words, and by which rows."""

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from ikeref_model.events import Observation
from ikeref_model.monitor import Accepted, Monitor
from ikeref_model.rows import Row

from ikeref.policy.connections import Settings
from ikeref_properties.machines import walk
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.network import ENDS, Pair, Record
from ikeref_properties.refinement import Observer

PER_ROW = 4
"""So many runs are kept for each row, the shortest."""


class Trace(NamedTuple):
    """What one end did."""

    observations: tuple[Observation, ...]


class _Watch:
    def __init__(self) -> None:
        self.observers = {end: Observer(end) for end in ENDS}
        self.seen: dict[str, list[Observation]] = {end: [] for end in ENDS}
        self.taken: dict[str, list[tuple[str, int]]] = {end: [] for end in ENDS}
        self.sound = True

    def __call__(self, record: Record) -> None:
        verdict = self.observers[record.end].observe(record)
        self.sound = self.sound and verdict.ok
        self.seen[record.end] += verdict.observations
        self.taken[record.end] += [(match.row.name, len(self.seen[record.end])) for match in verdict.rows]


def _wide(seed: int, watch: walk.Watch) -> Pair:
    """Two ends with windows of 4 (Section 2.3)."""
    return Pair(seed, settings=Settings(window_size=4), watch=watch).establish()


MAKERS: tuple[Callable[[int, walk.Watch], Pair], ...] = (
    walk.established,
    walk.starting,
    walk.other_groups,
    walk.cookies,
    walk.both_starting,
    walk.limited,
    walk.strangers,
    walk.unanswered,
    _wide,
    walk.by_eap,
    walk.modes,
    walk.aging,
)


def corpus(seeds: int = 60) -> dict[str, tuple[Trace, ...]]:
    """For each row that real ends take: some short runs in which it is taken."""
    found: dict[str, list[Trace]] = {}
    for make in MAKERS:
        for seed in range(seeds):
            watch = _Watch()
            pair = make(seed, watch)
            for act in random_schedule(Random(seed), Weights()):
                perform(pair, act)
            _go_on(pair)
            if not watch.sound:
                continue
            for end in ENDS:
                first: dict[str, int] = {}
                for name, length in watch.taken[end]:
                    first.setdefault(name, length)
                for name, length in first.items():
                    kept = found.setdefault(name, [])
                    kept.append(Trace(tuple(watch.seen[end][:length])))
                    kept.sort(key=lambda trace: len(trace.observations))
                    del kept[PER_ROW:]
    return {name: tuple(traces) for name, traces in found.items()}


def _go_on(pair: Pair, ticks: int = 300) -> None:
    """Let what is under way end, on a perfect network; ends that replace what grows old go on for ever."""
    for _ in range(ticks):
        pair.deliver_all()
        if not pair.advance() and not pair.flying:
            return


def refused(rows: tuple[Row, ...], traces: Iterable[Trace]) -> int:
    """The number of the first step of some run that the rows don't allow; 0 if they allow all."""
    for trace in traces:
        monitor = Monitor(rows=rows)
        for number, observation in enumerate(trace.observations, 1):
            if not isinstance(monitor.step(observation), Accepted):
                return number
    return 0
