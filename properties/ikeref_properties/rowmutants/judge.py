"""Which check finds a fault, the quickest first."""

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import z3
from ikeref_model.explore import explore
from ikeref_model.local import gaps, one_end, overlaps, possible
from ikeref_model.machine import triggers
from ikeref_model.rows import Row
from ikeref_model.sentences import OTHERS, Breach, Sentence, afterwards, judge_all, tidy, untidy
from ikeref_model.symbolic import Symbols
from ikeref_model.tables import BY_NAME
from ikeref_model.terms import Is, evaluate, no

from ikeref_properties import proofs
from ikeref_properties.proofs.sentences import SENTENCES
from ikeref_properties.rowmutants.corpus import Trace, refused
from ikeref_properties.rowmutants.make import Mutant

EQUIVALENT = "the same rule"
"""z3 shows that the change makes no difference in any state of an end."""
SPARE = "another row says it too"
"""z3 shows that wherever the change matters another row of the table allows the same answers with the same effect."""
NOTHING = ""
UNJUDGED = "not judged yet"
"""The row has changed, and `python -m ikeref_properties.rowmutants --new` has yet to be run."""
EXPLORED = ("traffic-goes-on", "child-sas-in-pairs", "inherited-exactly-once")


class Finding(NamedTuple):
    """What became of one fault."""

    mutant: Mutant
    by: str
    """The check that finds it, `the same rule`, or "" if nothing does."""
    how: str
    seconds: float


Corpus = dict[str, tuple[Trace, ...]]


def judge(mutant: Mutant, corpus: Corpus) -> Finding:
    """What finds the fault."""
    started = time.perf_counter()
    for by, how in _verdicts(mutant, corpus):
        if how:
            return Finding(mutant, by, how, time.perf_counter() - started)
    return Finding(mutant, NOTHING, "", time.perf_counter() - started)


def _verdicts(mutant: Mutant, corpus: Corpus) -> Iterator[tuple[str, str]]:
    rows = mutant.rows()
    original = BY_NAME[mutant.row]
    step = refused(rows, corpus.get(mutant.row, ()))
    yield "code", f"a run of the code is refused at step {step}" if step else ""
    yield from _sentences(original, rows)
    events = frozenset(triggers(original.on))
    gap = next(gaps(rows, events), None)
    yield "rows:total", f"no row for {gap.event}" if gap else ""
    overlap = next(overlaps(rows, events), None)
    yield "rows:deterministic", f"{' and '.join(overlap.rows)} overlap" if overlap else ""
    if mutant.changed is not None:
        breach = next(untidy(rows, {mutant.row}), None)
        yield "rows:consistent", breach.why if breach else ""
    yield EQUIVALENT, _same(original, mutant.changed) if mutant.changed else ""
    yield SPARE, _spare(original, mutant.changed, rows)
    for id, prove in proofs.LEMMAS.items():
        verdict = prove(rows)
        yield f"proof:{id}", "" if verdict.good else verdict.bounds
    for id in EXPLORED:
        yield f"proof:{id}", _explored(id, rows)
    yield "proof:no-child-before-auth", _hostile(rows)


def _sentences(row: Row, rows: tuple[Row, ...]) -> Iterator[tuple[str, str]]:
    events = frozenset(triggers(row.on))
    concerned: tuple[Sentence, ...] = tuple(each for each in SENTENCES if events & frozenset(triggers(each.on)))
    for found in judge_all(concerned, rows):
        if isinstance(found, Breach):
            yield f"sentence:{found.sentence}", found.why


def _explored(id: str, rows: tuple[Row, ...]) -> str:
    statement = proofs.BY_ID[id]
    system = statement.build(rows)
    violation = explore(system, no(statement.safe(system)), limit=60_000).violation
    if violation:
        return f"{len(violation.steps)} steps to a violation"
    return ""


def _hostile(rows: tuple[Row, ...]) -> str:
    statement = proofs.BY_ID["no-child-before-auth"]
    verdict = proofs.verify(statement, proofs.committed(statement), rows)
    return "" if verdict.good else f"the certificate is refused: {verdict.bounds}"


# Equivalence


@cache
def _symbols() -> Symbols:
    return one_end()


def _same(one: Row, two: Row) -> str:
    """Why both rows say the same in every state of an end; "" if they don't."""
    if one.answers != two.answers:
        return ""
    at = _symbols()
    for event in triggers(one.on):
        solver = z3.Solver(ctx=at.context)
        solver.add(*possible(at, event), *(evaluate(each, at) for each in (*tidy(one), *OTHERS)))
        before, after = (evaluate(each.condition(), at) for each in (one, two))
        if solver.check(before != after) != z3.unsat:
            return ""
        if not _same_effects(one, two, at, lambda *terms, s=solver, b=before: s.check(b, *terms) == z3.unsat):
            return ""
    return "neither guard nor effect differs in any state of an end"


def _spare(one: Row, two: Row | None, rows: tuple[Row, ...]) -> str:
    """Why the rest of the table says what the changed row does not say any more, or says newly; "" if it does not."""
    at = _symbols()
    if two is not None and (one.answers, one.effects()) != (two.answers, two.effects()):
        return ""
    others = [each for each in rows if each.name != one.name and one.answers <= each.answers and not each.variant]
    by: set[str] = set()
    for event in triggers(one.on):
        solver = z3.Solver(ctx=at.context)
        solver.add(*possible(at, event), *(evaluate(each, at) for each in (*tidy(one), *OTHERS)))
        before = evaluate(one.condition(), at)
        after = evaluate(two.condition(), at) if two is not None else z3.BoolVal(False, at.context)
        solver.add(before != after)
        spare = []
        for each in others:
            if event in triggers(each.on):
                condition = evaluate(each.condition(), at)
                if solver.check(condition) != z3.unsat and _same_effects(
                    one, each, at, lambda *terms, s=solver, c=condition: s.check(c, *terms) == z3.unsat
                ):
                    spare.append(condition)
                    by.add(each.name)
        if solver.check(z3.Not(at.disjoin(spare))) != z3.unsat:
            return ""
    return f"so does {', '.join(sorted(by))}"


def _same_effects(one: Row, two: Row, at: Symbols, never: Callable[..., bool]) -> bool:
    for variable in sorted({each.variable for row in (one, two) for each in row.effects()}):
        domain = at.domains[variable]
        for value in domain:
            term = Is(variable, (value,))
            first, second = (evaluate(afterwards(term, row), at) for row in (one, two))
            if not never(first != second):
                return False
    return True
