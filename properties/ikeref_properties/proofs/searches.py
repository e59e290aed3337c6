"""Exhaustive searches of the rows: nothing is proved beyond their bounds, and nothing within them is left out."""

import time
from collections.abc import Callable
from typing import NamedTuple

from ikeref_model import worlds
from ikeref_model.events import Kind
from ikeref_model.explore import Compiled, State, compile_system, explore, satisfying
from ikeref_model.network import Bound
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


def _plain(*bounds: Bound, limit: int = 4_000_000) -> Callable[[], tuple[str, str]]:
    def run() -> tuple[str, str]:
        states, why = 0, ""
        for bound in bounds:
            found = worlds.search_within(bound, ROWS, limit=limit)
            states += found.states
            if not found.complete:
                why = why or f"more than {limit} states"
            if found.why:
                why = why or f"{found.why}: {'; '.join(action.text() for action in found.violation)}"
        return f"{states} states", why

    return run


def either(bound: Bound) -> tuple[Bound, ...]:
    """The bound with the lowest nonce at either end; where both ends are alike, one says it for both."""
    return (bound,) if bound.left[0] == bound.left[1] else (bound, bound._replace(lowest=1))


def mixed(bound: Bound) -> tuple[Bound, ...]:
    """The same for two Child SAs: with the lowest nonce at one end for both of them, and at one each."""
    whose: tuple[dict[str, int] | int, ...] = (0, {"c": 0, "d": 1})
    if bound.left[0] != bound.left[1]:
        whose = (*whose, 1, {"c": 1, "d": 0})
    return tuple(bound._replace(lowest=each) for each in whose)


REPLACING = (Kind.REKEY_CHILD, Kind.DELETE_CHILD)
OF_CHILDREN = (Kind.CREATE_CHILD, *REPLACING)
WIDENING = (Kind.LIVENESS, Kind.CREATE_CHILD, Kind.REKEY_IKE)
TWO = ("c", "d")
ARRIVALS = "every message may arrive at any later time, in any order, again, or never"
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
        _plain(Bound((1, 1), forget=False), Bound((1, 1), lowest=1, forget=False)),
    ),
    SearchOf(
        "every-message-kept-twice",
        "Two ends agree at rest, with message IDs as they are and every message kept",
        "2.1",
        "two commands at one end and one at the other, about Child SAs; every message may arrive at any later time",
        _plain(*either(Bound((2, 1), REPLACING, forget=False))),
    ),
    SearchOf(
        "rekeys-keep-a-child-sa",
        "Rekeys alone never end in no Child SA at all",
        "2.8",
        "two rekeys an end of whatever Child SA there is, one that a rekey has just made included, windows of 1 and 2;"
        f" {ARRIVALS}",
        _plain(
            Bound((2, 2), (Kind.REKEY_CHILD,), carries=True),
            Bound((2, 2), (Kind.REKEY_CHILD,), window=2, carries=True),
        ),
    ),
    SearchOf(
        "two-child-sas",
        "Two ends with two Child SAs agree at rest",
        "2.25.1",
        "two commands at one end and one at the other about Child SAs, one an end of every kind; whose nonce is lowest"
        f" of each Child SA by itself; window 1; {ARRIVALS}",
        _plain(*mixed(Bound((2, 1), REPLACING, TWO)), *mixed(Bound((1, 1), children=TWO))),
    ),
    SearchOf(
        "window-2",
        "With windows of 2 the ends agree at rest, and no request lies beyond a window",
        "2.3",
        "two commands at one end and one at the other of every kind, two an end that rekey and delete Child SAs;"
        f" one Child SA at first; {ARRIVALS}",
        _plain(*either(Bound((2, 1), window=2)), Bound((2, 2), REPLACING, window=2)),
    ),
    SearchOf(
        "window-4",
        "With windows of 4 the ends agree at rest, and no request lies beyond a window",
        "2.3",
        "two commands at one end and one at the other of every kind, three and one that create, rekey and delete Child"
        f" SAs; one Child SA at first; {ARRIVALS}",
        _plain(*either(Bound((2, 1), window=4)), Bound((3, 1), OF_CHILDREN, window=4)),
    ),
    SearchOf(
        "windows-and-two-child-sas",
        "With two Child SAs and windows of 2 and 4 the ends agree at rest, and no request lies beyond a window",
        "2.3",
        "two commands at one end and one at the other about Child SAs, one an end of every kind; whose nonce is lowest"
        f" of each Child SA by itself; {ARRIVALS}",
        _plain(
            *(bound for size in (2, 4) for bound in mixed(Bound((2, 1), REPLACING, TWO, size))),
            *(bound for size in (2, 4) for bound in mixed(Bound((1, 1), children=TWO, window=size))),
        ),
    ),
    SearchOf(
        "window-announced",
        "No request lies beyond a window while window sizes are announced and IKE SAs are rekeyed",
        "2.3",
        "windows of 1 raised to 2, and of 2 to 4, by INFORMATIONAL requests; two commands an end: announce, create a"
        f" Child SA, rekey the IKE SA; three commands at one end that create Child SAs and rekey; {ARRIVALS}",
        _plain(
            Bound((2, 2), WIDENING, announces=2),
            Bound((2, 2), WIDENING, window=2, announces=4),
            Bound((3, 0), (Kind.CREATE_CHILD, Kind.REKEY_IKE), window=2),
            Bound((3, 1), (Kind.LIVENESS, Kind.CREATE_CHILD), window=4, announces=2),
        ),
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
