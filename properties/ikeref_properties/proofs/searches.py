"""Exhaustive searches of the rows: nothing is proved beyond their bounds, and nothing within them is left out."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ikeref_model import network
from ikeref_model.events import Kind
from ikeref_model.explore import Compiled, State, compile_system, explore, satisfying
from ikeref_model.rows import Row
from ikeref_model.system import Scope, build
from ikeref_model.tables import ROWS

from ikeref_properties.proofs.statements import CHILD_SCOPE, IKE_SCOPE, quiescent
from ikeref_properties.proofs.verdict import Verdict

ENGINE = "breadth-first search"


class Rest(NamedTuple):
    """How a system comes to rest once no more commands come."""

    states: int
    longest: int
    """Steps from the worst state to rest, whatever order they come in."""
    why: str
    """How it fails to; "" if it does not."""


def rest(scope: Scope, rows: tuple[Row, ...] = ROWS) -> Rest:
    """Whether from every reachable state every run without further commands ends, and ends at rest (a ranking).

    What an end sends of its own accord (a Delete that is due) is no command; a retry after a failure is one.
    """
    system = build(scope, rows)
    compiled, reached = compile_system(system), dict[State, int]()
    explore(system, reached=reached)
    calm = set(satisfying(system, reached, quiescent(system)))
    commands = {row.name for row in rows if row.on.what == "send" and not row.name.endswith(".due")}
    outside = frozenset(
        number for number, step in enumerate(system.steps) if step.row in commands or step.row == "recycle"
    )
    left: dict[State, int] = {}
    for state in reached:
        why = _settle(state, left, calm, lambda at: _inside(compiled, at, outside))
        if why:
            return Rest(len(reached), 0, why)
    return Rest(len(reached), max(left.values()), "")


def _inside(compiled: Compiled, state: State, outside: frozenset[int]) -> list[State]:
    return [after for number, after in compiled.successors(state) if number not in outside]


def _settle(start: State, left: dict[State, int], calm: set[State], successors: Callable[[State], list[State]]) -> str:
    """Fill in how many steps are left from `start` and all that follows; says how a run never ends, or ends badly."""
    stack: list[tuple[State, list[State] | None]] = [(start, None)]
    pending: set[State] = set()
    while stack:
        state, after = stack.pop()
        if after is not None:
            pending.discard(state)
            left[state] = 1 + max(left[each] for each in after)
            continue
        if state in left:
            continue
        after = successors(state)
        if not after:
            if state not in calm:
                return "a run ends although something is outstanding or due"
            left[state] = 0
            continue
        if any(each in pending for each in after) or state in pending:
            return "a run may go on for ever"
        pending.add(state)
        stack.append((state, after))
        stack.extend((each, None) for each in after if each not in left)
    return ""


class SearchOf(NamedTuple):
    """One search."""

    id: str
    title: str
    section: str
    bounds: str
    run: Callable[[], tuple[str, str]]
    """Its size, and what it found; "" if nothing."""


def _rest_of(scope: Scope) -> Callable[[], tuple[str, str]]:
    def run() -> tuple[str, str]:
        found = rest(scope)
        return f"{found.states} states, at most {found.longest} steps to rest", found.why

    return run


def _plain(left: tuple[int, int], kinds: tuple[Kind, ...]) -> Callable[[], tuple[str, str]]:
    def run() -> tuple[str, str]:
        states, violation = 0, ""
        for lowest in (0, 1):
            found = network.search(left, lowest=lowest, kinds=kinds)
            states += found.states
            violation = violation or "; ".join(action.text() for action in found.violation)
        return f"{states} states", violation

    return run


EVERY = tuple(Kind[each] for each in ("CREATE_CHILD", "REKEY_CHILD", "DELETE_CHILD", "REKEY_IKE", "DELETE_IKE"))
SEARCHES: tuple[SearchOf, ...] = (
    SearchOf(
        "rest-of-child-sas",
        "Without further commands every run ends, and ends at rest",
        "2.25",
        CHILD_SCOPE.title + "; a retry counts as a command, window 1",
        _rest_of(CHILD_SCOPE),
    ),
    SearchOf(
        "rest-of-ike-sas",
        "Without further commands every run ends, and ends at rest",
        "2.25",
        IKE_SCOPE.title + "; a retry counts as a command, window 1",
        _rest_of(IKE_SCOPE),
    ),
    SearchOf(
        "every-message-kept",
        "Two ends agree at rest, with message IDs as they are and every message kept",
        "2.1",
        "one command an end, of every kind; every message may arrive at any later time, again, or never; window 1",
        _plain((1, 1), EVERY),
    ),
    SearchOf(
        "every-message-kept-twice",
        "Two ends agree at rest, with message IDs as they are and every message kept",
        "2.1",
        "two commands at one end and one at the other, about Child SAs; every message may arrive at any later time",
        _plain((2, 1), (Kind.REKEY_CHILD, Kind.DELETE_CHILD)),
    ),
)
BY_ID: dict[str, SearchOf] = {each.id: each for each in SEARCHES}


def run(search: SearchOf) -> Verdict:
    """The verdict of one search."""
    started = time.perf_counter()
    size, why = search.run()
    return Verdict(
        search.id,
        search.title,
        search.section,
        "rows",
        "refuted" if why else "exhaustive to bound",
        ENGINE,
        size,
        time.perf_counter() - started,
        "",
        why or search.bounds,
    )


def run_all() -> Iterator[Verdict]:
    """Every search."""
    return (run(each) for each in SEARCHES)
