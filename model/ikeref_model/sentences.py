"""Sentences of the RFC about one end, checked against all rows at once.

A row says what an end does; a `Sentence` says what the RFC wants of it: in this situation, on this event, these
answers and no others, and afterwards this. Sentences are written from the RFC and not from the rows. z3 looks at every
state of one end: a row that may be taken in the situation and answers otherwise, or leads elsewhere, breaks it; so does
an event without a row. A situation in which no end can be makes the sentence void, which is a breach too.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import z3

from ikeref_model.events import Kind, Outcome
from ikeref_model.local import by_event, one_end, possible
from ikeref_model.machine import triggers
from ikeref_model.rows import Answer, On, Row
from ikeref_model.symbolic import Symbols
from ikeref_model.terms import (
    FALSE,
    TRUE,
    All,
    Is,
    Not,
    Pick,
    Some,
    SomeChild,
    Term,
    Value,
    all_of,
    any_of,
    evaluate,
    isnt,
    no,
    variables_of,
)


class Sentence(NamedTuple):
    """One sentence, or one half of it."""

    id: str
    words: str
    section: str
    requirements: tuple[str, ...]
    on: On
    when: Term
    """The situation before the event; a request is taken to be well-formed if nothing is said of that."""
    only: frozenset[Answer] | None = None
    """The answers that are allowed; None: any."""
    some: frozenset[Answer] = frozenset()
    """Answers of which at least one has to be possible in every such situation."""
    if_answered: frozenset[Answer] = frozenset()
    """`after` is about these answers only; empty: about all."""
    after: Term = TRUE
    """What holds when the row has been taken; it reads the state afterwards."""
    unchanged: tuple[str, ...] = ()
    """What no row may write: variables, records (`child.`), or everything (`*`)."""
    never: bool = False
    """No row at all: an end does not do it."""


class Breach(NamedTuple):
    """How the rows break a sentence."""

    sentence: str
    row: str
    why: str


class Held(NamedTuple):
    """What was looked at where a sentence holds."""

    sentence: str
    rows: int
    """Rows that may be taken in the situation."""


def judge_all(sentences: Iterable[Sentence], rows: Iterable[Row]) -> Iterator[Held | Breach]:
    """Whether the rows keep the sentences, in every state of one end."""
    at, listed = one_end(), tuple(rows)
    return (judge(each, listed, at) for each in sentences)


def judge(sentence: Sentence, rows: Iterable[Row], at: Symbols | None = None) -> Held | Breach:
    """Whether the rows keep the sentence, in every state of one end (whose symbols are `at`)."""
    at = at or one_end()
    when = sentence.when
    if sentence.on.what == "request" and "fact.malformed" not in variables_of(when):
        when = all_of(when, isnt("fact.malformed"))
    candidates_for = by_event(rows)
    taken: set[str] = set()
    exists = False
    for event in triggers(sentence.on):
        solver = z3.Solver(ctx=at.context)
        solver.add(*possible(at, event), evaluate(when, at))
        if solver.check() != z3.sat:
            continue
        exists = True
        fitting = [
            row for row in candidates_for.get(event, []) if solver.check(evaluate(row.condition(), at)) != z3.unsat
        ]
        taken |= {row.name for row in fitting}
        for breach in _event(sentence, event, fitting, solver, at):
            return breach
    if not exists:
        return Breach(sentence.id, "", "no end is ever in this situation")
    return Held(sentence.id, len(taken))


def _event(sentence: Sentence, event: str, rows: list[Row], solver: Any, at: Symbols) -> Iterator[Breach]:
    if sentence.never:
        yield from (Breach(sentence.id, row.name, f"it may be taken on {event}") for row in rows)
        return
    for row in rows:
        why = _answers(sentence, row) or _writes(sentence, row)
        if why:
            yield Breach(sentence.id, row.name, why)
        elif not sentence.if_answered or row.answers & sentence.if_answered:
            wrong = no(afterwards(sentence.after, row))
            if solver.check(evaluate(row.condition(), at), evaluate(wrong, at)) != z3.unsat:
                yield Breach(sentence.id, row.name, "it leads elsewhere")
    if sentence.on.what in ("send", "wait"):
        return
    able = [row for row in rows if not sentence.some or row.answers & sentence.some]
    if solver.check(z3.Not(at.disjoin([evaluate(row.condition(), at) for row in able]))) != z3.unsat:
        wanted = " or ".join(sorted(each.text() for each in sentence.some)) or "anything"
        yield Breach(sentence.id, "", f"no row for {event} gives {wanted}")


def _answers(sentence: Sentence, row: Row) -> str:
    if sentence.only is None or row.answers <= sentence.only:
        return ""
    return f"it allows {', '.join(sorted(each.text() for each in row.answers - sentence.only))}"


def _writes(sentence: Sentence, row: Row) -> str:
    for each in row.effects():
        for name in sentence.unchanged:
            if name == "*" or each.variable == name or (name.endswith(".") and each.variable.startswith(name)):
                return f"it changes {each.variable}"
    return ""


def afterwards(term: Term, row: Row) -> Term:
    """The term about the state after the row, as a term about the state before: the weakest precondition."""
    effects: dict[str, Value | Pick] = {}
    for variable, value in row.effects():
        effects[variable] = value
        if variable.endswith(".on_any"):
            effects |= {variable.replace("on_any", f"on_{home}"): False for home in ("ike", "mine", "theirs")}

    def reached(value: Value | None, variable: str, values: tuple[Value, ...]) -> Term:
        if value is None:
            return Is(variable, values)
        return TRUE if value in values else FALSE

    def before(inner: Term) -> Term:
        match inner:
            case Is(variable, values):
                match effects.get(variable):
                    case Pick(condition, then, otherwise):
                        return any_of(
                            all_of(condition, reached(then, variable, values)),
                            all_of(no(condition), reached(otherwise, variable, values)),
                        )
                    case value:
                        return reached(value, variable, values)
            case Not(one):
                return Not(before(one))
            case All(several):
                return All(tuple(before(each) for each in several))
            case Some(several):
                return Some(tuple(before(each) for each in several))
            case SomeChild(one):
                return SomeChild(before(one))

    return before(term)


def reply_of(*outcomes: Outcome) -> frozenset[Answer]:
    """Responses with these outcomes."""
    return frozenset(Answer("reply", each) for each in outcomes)


def replies() -> frozenset[Answer]:
    """Every response."""
    return reply_of(*Outcome)


def sending(*kinds: Kind) -> On:
    """This end sends such a request."""
    return On("send", frozenset(kinds))
