"""Proofs about the rows: over two ends and the network, with certificates that are re-checked from scratch.

`prove_all` finds the invariants anew (minutes); `recheck` re-checks the committed certificates (seconds). A
certificate is the inductive invariant as clauses, the steps that never happen, and a schedule to each witness.
"""

import json
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from ikeref_model.check import Flawed, check, replay
from ikeref_model.explore import Schedule, explore, shortest
from ikeref_model.prove import Clause, bounded, dead_steps, invariant
from ikeref_model.rows import Row
from ikeref_model.system import System
from ikeref_model.tables import ROWS
from ikeref_model.terms import no

from ikeref_properties.proofs import lemma, others, ranking, windows_lemma
from ikeref_properties.proofs.guesses import GUESSES
from ikeref_properties.proofs.statements import BY_ID, STATEMENTS, Statement
from ikeref_properties.proofs.verdict import Verdict

__all__ = [
    "BY_ID",
    "LEMMAS",
    "STATEMENTS",
    "Statement",
    "Verdict",
    "certificate",
    "prove_all",
    "recheck",
    "refute",
]

LEMMAS: dict[str, Callable[[tuple[Row, ...]], Verdict]] = {
    lemma.ID: lemma.prove,
    lemma.FIRST_ID: lemma.at_first,
    windows_lemma.ID: windows_lemma.prove,
    others.ONE_OF_MANY: others.one_of_many,
    others.LEFT_BEHIND: others.left_behind,
    ranking.ID: ranking.prove,
}
"""What the statements rest on, proved anew each time."""
ENGINE = "z3, induction; re-checked bit by bit"


def certificate(statement: Statement, rows: tuple[Row, ...] = ROWS) -> dict[str, Any] | Schedule:
    """A new certificate, or the shortest schedule that violates the statement."""
    system = statement.build(rows)
    safe = statement.safe(system)
    guess = GUESSES.get(statement.id)
    found = invariant(system, safe, guess=guess(system) if guess else ())
    if found is None:
        violation = explore(system, no(safe)).violation
        assert violation is not None
        return violation
    witnesses = {}
    for name, goal in statement.witnesses:
        schedule = shortest(system, found.tree, goal) if found.tree else bounded(system, goal, 4)
        if schedule is None:
            raise Flawed(f"witness out of reach: {name}")
        witnesses[name] = [step.name for step in schedule.steps]
    return {
        "statement": statement.id,
        "title": statement.title,
        "section": statement.section,
        "about": statement.about,
        "states": len(found.tree),
        "clauses": [[[variable, list(values)] for variable, values in clause] for clause in found.clauses],
        "dead": sorted(dead_steps(system, found.clauses)),
        "witnesses": witnesses,
    }


def verify(statement: Statement, data: dict[str, Any], rows: tuple[Row, ...] = ROWS) -> Verdict:
    """Re-check a certificate against the rows; `refuted` with the reason if it proves nothing."""
    started = time.perf_counter()
    system = statement.build(rows)
    claim, bounds = "proved", statement.about
    try:
        if data["statement"] != statement.id:
            raise Flawed(f"it is a certificate of {data['statement']}")
        checked = check(system, statement.safe(system), clauses_of(data), frozenset(data["dead"]))
        for name, goal in statement.witnesses:
            replay(system, data["witnesses"][name], goal)
        size = f"{checked.clauses} clauses, {checked.steps} steps"
    except (Flawed, KeyError) as flaw:
        claim, bounds, size = "refuted", str(flaw), ""
    name = f"{statement.id}.json"
    return Verdict(
        statement.id,
        statement.title,
        statement.section,
        "rows",
        claim,
        ENGINE,
        size,
        time.perf_counter() - started,
        name,
        bounds,
    )


def clauses_of(data: dict[str, Any]) -> tuple[Clause, ...]:
    """The clauses of a certificate."""
    return tuple(tuple((variable, tuple(values)) for variable, values in clause) for clause in data["clauses"])


def committed(statement: Statement) -> dict[str, Any]:
    """The certificate that comes with the package."""
    path = files("ikeref_properties.proofs").joinpath("certificates", f"{statement.id}.json")
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return data


def recheck() -> tuple[Verdict, ...]:
    """The lemmas proved again, and every committed certificate re-checked."""
    return (*(prove(ROWS) for prove in LEMMAS.values()), *(verify(each, committed(each)) for each in STATEMENTS))


def prove_all(rows: tuple[Row, ...] = ROWS) -> tuple[Verdict, ...]:
    """Every statement proved anew from these rows, each certificate checked."""
    verdicts = [prove(rows) for prove in LEMMAS.values()]
    for statement in STATEMENTS:
        started = time.perf_counter()
        found = certificate(statement, rows)
        if isinstance(found, Schedule):
            verdict = _refuted(statement, found)
        else:
            verdict = verify(statement, found, rows)
        verdicts.append(verdict._replace(seconds=time.perf_counter() - started))
    return tuple(verdicts)


def _refuted(statement: Statement, schedule: Schedule) -> Verdict:
    return Verdict(
        statement.id,
        statement.title,
        statement.section,
        "rows",
        "refuted",
        "breadth-first search",
        f"{len(schedule.steps)} steps",
        0.0,
        "",
        schedule.text(),
    )


def refute(statement: Statement, rows: tuple[Row, ...], depth: int) -> Schedule | None:
    """The shortest schedule of at most `depth` steps that violates the statement, found by bounded model checking."""
    system: System = statement.build(rows)
    return bounded(system, no(statement.safe(system)), depth)
