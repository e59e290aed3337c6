"""Several processes that expand one search: forked, so that each has the code as it is at that moment, faults too."""

from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, ForkProcess
from signal import SIG_IGN, SIGINT, signal
from typing import Any, Protocol

from ikeref_properties.explore.values import State
from ikeref_properties.explore.worker import Level, Seen, Worker

_EVEN = 1.15
"""By how much one worker may have more to do than the mean."""
_FEW = 200
"""States that are not worth sending."""


class Watch(Protocol):
    """Is told how far a level has come: states done, steps judged; says whether to stop."""

    def __call__(self, done: int, checked: int, /) -> bool: ...


class Alone:
    """The search's own process does it all."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def expand(self, watch: Watch) -> list[Level]:
        """One level."""
        return [self._worker.expand(watch)]

    def keep(self, new: list[list[tuple[int, int]]]) -> None:
        """What is new of the level."""
        self._worker.keep(new[0])

    def seen(self) -> Seen:
        """What was seen."""
        return self._worker.seen()

    def close(self) -> None:
        """Nothing is to be closed."""


class Crew:
    """Workers in processes of their own. Mutable; to be closed."""

    def __init__(self, worker: Worker, processes: int) -> None:
        context = get_context("fork")
        self._progress: Any = context.RawArray("Q", 2 * processes)
        """For each worker: states done of this level, steps judged."""
        self._stop: Any = context.RawValue("b", 0)
        self._before = worker.seen()
        self._ours: list[Connection[Any, Any]] = []
        self._processes: list[ForkProcess] = []
        share = -(-len(worker.frontier) // processes)
        for place in range(processes):
            self._start(context, worker, worker.frontier[share * place : share * (place + 1)], place)

    def _start(self, context: ForkContext, worker: Worker, mine: list[tuple[State, int]], place: int) -> None:
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(worker, mine, theirs, self._progress, self._stop, place), daemon=True
        )
        process.start()
        theirs.close()
        self._ours.append(ours)
        self._processes.append(process)

    def expand(self, watch: Watch) -> list[Level]:
        """One level, each worker its states."""
        self._stop.value = 0
        for place, pipe in enumerate(self._ours):
            self._progress[2 * place] = 0
            pipe.send(("expand",))
        levels: dict[int, Level] = {}
        while len(levels) < len(self._ours):
            try:
                ready = wait([pipe for place, pipe in enumerate(self._ours) if place not in levels], timeout=0.2)
                for place, pipe in enumerate(self._ours):
                    if pipe in ready:
                        levels[place] = pipe.recv()
                stop = watch(sum(self._progress[::2]), self._before.checked + sum(self._progress[1::2]))
            except KeyboardInterrupt:
                stop = True
            self._stop.value = self._stop.value or stop
        return [levels[place] for place in range(len(self._ours))]

    def keep(self, new: list[list[tuple[int, int]]]) -> None:
        """What is new of the level; a worker with far more to do than the others gives some away."""
        for pipe, mine in zip(self._ours, new, strict=True):
            pipe.send(("keep", mine))
        loads = [len(mine) for mine in new]
        mean = sum(loads) // len(loads)
        for giver in range(len(loads)):
            while loads[giver] > mean * _EVEN + _FEW:
                taker = loads.index(min(loads))
                count = min(loads[giver] - mean, mean - loads[taker])
                if count <= 0:
                    break
                self._ours[giver].send(("give", count))
                self._ours[taker].send(("take", self._ours[giver].recv()))
                loads[giver] -= count
                loads[taker] += count

    def seen(self) -> Seen:
        """What all of them saw."""
        seen = self._before
        for pipe in self._ours:
            pipe.send(("seen",))
            seen = seen.plus(pipe.recv())
        return seen

    def close(self) -> None:
        """End the processes."""
        for pipe in self._ours:
            pipe.close()
        for process in self._processes:
            process.join(2)
            if process.is_alive():
                process.terminate()


def _serve(
    worker: Worker,
    mine: list[tuple[State, int]],
    pipe: "Connection[Any, Any]",
    progress: Any,
    stop: Any,
    place: int,
) -> None:
    """A worker's process: does what it is told until the pipe is closed. Ctrl-C is for the search's own process."""
    signal(SIGINT, SIG_IGN)
    worker.begin(mine)

    def watch(done: int, checked: int) -> bool:
        progress[2 * place] = done
        progress[2 * place + 1] = checked
        return bool(stop.value)

    try:
        while True:
            match pipe.recv():
                case ("expand",):
                    pipe.send(worker.expand(watch))
                case ("keep", new):
                    worker.keep(new)
                case ("give", count):
                    pipe.send(worker.give(count))
                case ("take", octets):
                    worker.take(octets)
                case _:
                    pipe.send(worker.seen())
    except (EOFError, BrokenPipeError):
        pass
