"""Sentences of the RFC about one end, checked against all rows at once.

A row says what an end does; a `Sentence` says what the RFC wants of it: in this situation, on this event, these
answers and no others, and afterwards this. Sentences are written from the RFC and not from the rows. z3 looks at every
state of one end: a row that may be taken in the situation and answers otherwise, or leads elsewhere, breaks it; so does
an event without a row. A situation in which no end can be makes the sentence void, which is a breach too.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import z3

from ikeref_model.events import Kind, Outcome
from ikeref_model.local import ALL_ALONE, by_event, one_end, possible
from ikeref_model.local import OTHERS as OTHERS_OUTSTANDING
from ikeref_model.machine import triggers
from ikeref_model.rows import LIVE, Answer, On, Row
from ikeref_model.state import AUTHENTICATING, NOTHING, Child, Ike
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
    is_,
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
    if sentence.on.what == "send":
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

    def outstanding(values: tuple[Value, ...]) -> Term:
        """What is outstanding after the row is one of these: see `endpoint_state.apply`."""
        value, answered = effects["ike.own"], row.on.what == "response"
        if value == NOTHING:
            if answered and effects.get("ike.state") != Ike.CLOSED:
                return Is(OTHERS_OUTSTANDING, values)
            return TRUE if NOTHING in values else FALSE
        kept = Is(OTHERS_OUTSTANDING if answered else "ike.own", tuple(each for each in values if each != NOTHING))
        return TRUE if value in values else kept

    def reached(value: Value | None, variable: str, values: tuple[Value, ...]) -> Term:
        if value is None:
            return Is(variable, values)
        return TRUE if value in values else FALSE

    def before(inner: Term) -> Term:
        match inner:
            case Is("ike.own", values) if "ike.own" in effects:
                return outstanding(values)
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


IKE_STATES = {
    Kind.IKE_SA_INIT: (Ike.INIT_SENT,),
    Kind.IKE_AUTH: AUTHENTICATING,
    Kind.REKEY_IKE: (Ike.REKEYING, Ike.CROSSED),
}
"""Where an IKE SA stands while such a request is outstanding, and at no other time."""
HOLLOW = (Child.ABSENT, Child.DENIED, Child.CREATING, Child.REKEYING_GONE, Child.CROSSED_GONE)
"""The states of a Child SA in which nothing is installed, and no IKE SA but this one has to do with it."""
CLOSING = (Child.DELETING, Child.HALF_CLOSED)


def tidy_ike(ike: str) -> Term:
    """What every row takes for granted of an IKE SA."""
    rules: list[Term] = []
    for own, states in IKE_STATES.items():
        outstanding, stands = is_(f"{ike}.own", own), is_(f"{ike}.state", *states)
        rules += [any_of(no(outstanding), stands), any_of(no(stands), outstanding)]
    for kinds, allowed in (
        ((Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD), LIVE),
        ((Kind.LIVENESS,), (*LIVE, Ike.REPORTING)),
        ((Kind.DELETE_IKE,), (Ike.DELETING, Ike.REPORTING)),
    ):
        rules.append(any_of(no(is_(f"{ike}.own", *kinds)), is_(f"{ike}.state", *allowed)))
    rules.append(any_of(isnt(f"{ike}.state", Ike.DELETING), is_(f"{ike}.own", Kind.DELETE_IKE)))
    rules.append(any_of(isnt(f"{ike}.state", Ike.REPORTING), is_(f"{ike}.own", Kind.DELETE_IKE, Kind.LIVENESS)))
    rules.append(any_of(isnt(f"{ike}.due"), is_(f"{ike}.state", Ike.REPLACED)))
    return all_of(*rules)


def tidy_child(child: str) -> Term:
    """What every row takes for granted of a Child SA: which directions are installed, and who has to delete it."""
    into, out = is_(f"{child}.in"), is_(f"{child}.out")
    homes = [is_(f"{child}.{home}") for home in ("on_ike", "on_mine", "on_theirs")]
    hollow = is_(f"{child}.state", *HOLLOW, Child.UNWANTED)
    return all_of(
        any_of(no(hollow), all_of(no(into), no(out))),
        any_of(isnt(f"{child}.state", Child.HALF_CLOSED), no(out)),
        any_of(hollow, into, all_of(is_(f"{child}.state", *CLOSING), no(out))),
        any_of(isnt(f"{child}.due"), is_(f"{child}.state", Child.REPLACED, Child.UNWANTED)),
        any_of(is_(f"{child}.due"), isnt(f"{child}.state", Child.UNWANTED)),
        any_of(isnt(f"{child}.state", Child.UNWANTED, *CLOSING), *homes),
        any_of(no(any_of(into, out)), *homes),
        any_of(no(is_(f"{child}.state", Child.ABSENT)), no(any_of(*homes))),
    )


SUBJECTS: tuple[Term, ...] = (
    any_of(no(is_("child.state", Child.CREATING)), all_of(is_("ike.own", Kind.CREATE_CHILD), is_("child.on_ike"))),
    any_of(
        no(is_("child.state", Child.REKEYING, Child.CROSSED, Child.REKEYING_GONE, Child.CROSSED_GONE)),
        is_("ike.own", Kind.REKEY_CHILD),
    ),
    any_of(no(is_("child.state", Child.DELETING, Child.HALF_CLOSED)), is_("ike.own", Kind.DELETE_CHILD)),
    any_of(no(is_("child.state", Child.DENIED)), is_("ike.own", Kind.CREATE_CHILD, Kind.REKEY_CHILD)),
    any_of(no(is_("child_mine.state", Child.DENIED)), is_("ike.own", Kind.REKEY_CHILD)),
    any_of(
        no(is_("child.state", Child.REKEYING, Child.CROSSED, Child.REKEYING_GONE, Child.CROSSED_GONE)),
        is_("child.on_ike"),
    ),
    any_of(isnt("child.on_ike"), all_of(isnt("child.on_mine"), isnt("child.on_theirs"))),
)
"""What a row about a Child SA takes for granted of the outstanding request."""
TIDY: tuple[Term, ...] = (tidy_ike("ike"), ALL_ALONE, *map(tidy_child, ("child", "child_mine", "child_theirs", "each")))


BUSY: tuple[tuple[tuple[Child, ...], tuple[Kind, ...]], ...] = (
    ((Child.CREATING, Child.DENIED), (Kind.CREATE_CHILD, Kind.REKEY_CHILD)),
    ((Child.REKEYING, Child.CROSSED, Child.REKEYING_GONE, Child.CROSSED_GONE), (Kind.REKEY_CHILD,)),
    ((Child.DELETING, Child.HALF_CLOSED), (Kind.DELETE_CHILD,)),
)
"""States of a Child SA in which a request about it is outstanding on its IKE SA, and which."""
ALONE_HERE = all_of(isnt("each.on_mine"), isnt("each.on_theirs"))
HOMELESS: tuple[Term, ...] = (
    *(
        any_of(no(is_(f"{child}.state", *HOLLOW)), all_of(isnt(f"{child}.on_mine"), isnt(f"{child}.on_theirs")))
        for child in ("child", "child_mine", "child_theirs")
    ),
    any_of(no(is_("child_mine.state", Child.DENIED)), isnt("child_mine.on_ike")),
)
"""What was never installed has no home but this IKE SA."""
OTHERS: tuple[Term, ...] = (
    is_("each.on_ike"),
    ALONE_HERE,
    *(any_of(no(is_("each.state", *states)), is_("ike.own", *own)) for states, own in BUSY),
    *HOMELESS,
)
"""What holds besides where a row is taken: `each` is another Child SA of this IKE SA, and of no other one."""
ANSWERED_ANOTHER: tuple[Term, ...] = tuple(
    any_of(no(is_("each.state", *states)), is_(OTHERS_OUTSTANDING, *own)) for states, own in BUSY
)
"""What a request was about is told by its Message ID: where a response comes, that of another Child SA is still
outstanding."""
LEFT: tuple[Term, ...] = (
    any_of(isnt("each.on_ike"), ALONE_HERE),
    any_of(isnt("each.on_mine"), isnt("each.on_theirs")),
    *(any_of(isnt("each.on_ike"), no(is_("each.state", *states)), is_("ike.own", *own)) for states, own in BUSY),
    *(any_of(is_("each.on_ike"), no(is_("each.state", *states))) for states, _ in BUSY),
)
"""What a row has to leave behind of these: the same where the Child SA is still one of this IKE SA; where it has moved
to a successor it has one home, and nothing about it is outstanding."""


def tidy(row: Row) -> tuple[Term, ...]:
    """What a row takes for granted, and has to leave behind."""
    return (*TIDY, *SUBJECTS) if row.component == "child" else TIDY


def untidy(rows: Iterable[Row], names: Collection[str] | None = None) -> Iterator[Breach]:
    """Rows that lead from a state in which everything is as `tidy` says to one in which it is not; of the rows of these
    names, or of all."""
    at = one_end()
    for row in rows:
        if row.variant or (names is not None and row.name not in names):
            continue
        rules = tidy(row)
        for event in triggers(row.on):
            solver = z3.Solver(ctx=at.context)
            known = (*rules, *OTHERS, *(ANSWERED_ANOTHER if row.on.what == "response" else ()))
            solver.add(*possible(at, event), *(evaluate(each, at) for each in (*known, row.condition())))
            kept = (*rules, *LEFT, *(HOMELESS if row.component == "child" else ()))
            broken = no(all_of(*(afterwards(each, row) for each in kept)))
            if solver.check(evaluate(broken, at)) != z3.unsat:
                yield Breach("tidy", row.name, f"{event} leaves what no row expects")
                break


def reply_of(*outcomes: Outcome) -> frozenset[Answer]:
    """Responses with these outcomes."""
    return frozenset(Answer("reply", each) for each in outcomes)


def replies() -> frozenset[Answer]:
    """Every response."""
    return reply_of(*Outcome)


def sending(*kinds: Kind) -> On:
    """This end sends such a request."""
    return On("send", frozenset(kinds))
