"""The rows seen from one end, without a peer: is there a row for every event in every state, and is there more than
one only where the RFC allows a choice? z3 answers both for all states at once.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import z3

from ikeref_model.events import Alarm, Input, Kind, Outcome, Position
from ikeref_model.machine import trigger, triggers
from ikeref_model.rows import LIVE, Row
from ikeref_model.state import AUTHENTICATING, NOTHING, ONE, SCOPES, Child, Ike, Variable
from ikeref_model.symbolic import Symbols, symbols
from ikeref_model.system import Scope, System
from ikeref_model.terms import Is, Not, SomeChild, Term, Value, all_of, any_of, evaluate, is_, no


class Overlap(NamedTuple):
    """Two rows that fit the same event in the same state, although they are not marked as a choice."""

    event: str
    rows: tuple[str, str]
    state: dict[str, Value]


class Gap(NamedTuple):
    """An event and a state for which there is no row."""

    event: str
    state: dict[str, Value]


def implies(premise: Term, conclusion: Term) -> Term:
    """Material implication."""
    return any_of(no(premise), conclusion)


REKEYING_CHILD = (Child.REKEYING, Child.CROSSED, Child.REKEYING_GONE, Child.CROSSED_GONE)
CONSISTENT: Term = all_of(
    *(
        any_of(
            all_of(is_("ike.own", own), is_("ike.state", *states)),
            all_of(Not(Is("ike.own", (own,))), Not(Is("ike.state", states))),
        )
        for own, states in (
            ("IKE_SA_INIT", (Ike.INIT_SENT,)),
            ("IKE_AUTH", AUTHENTICATING),
            ("REKEY_IKE", (Ike.REKEYING, Ike.CROSSED)),
        )
    ),
    implies(is_("ike.state", Ike.DELETING), is_("ike.own", "DELETE_IKE")),
    implies(is_("ike.own", "DELETE_IKE"), is_("ike.state", Ike.DELETING, Ike.REPORTING)),
    implies(is_("ike.state", Ike.REPORTING), is_("ike.own", "DELETE_IKE", "LIVENESS")),
    implies(is_("ike.own", "LIVENESS"), is_("ike.state", *LIVE, Ike.REPORTING)),
    implies(is_("ike.own", "CREATE_CHILD", "REKEY_CHILD", "DELETE_CHILD"), is_("ike.state", *LIVE)),
    implies(is_("child.state", Child.CREATING), is_("ike.own", "CREATE_CHILD")),
    implies(is_("child.state", *REKEYING_CHILD), is_("ike.own", "REKEY_CHILD")),
)
"""What the state of an IKE SA and its outstanding request have to do with each other, and with the Child SA in
question."""
ALONE = (Kind.IKE_SA_INIT, Kind.IKE_AUTH, Kind.REKEY_IKE, Kind.DELETE_IKE)
"""Requests that are outstanding alone, whatever the window: nothing was sent before them, and nothing is sent after."""
ALL_ALONE: Term = all_of(
    *(implies(is_("ike.own", kind), no(is_("ike.own", *(each for each in Kind if each is not kind)))) for kind in ALONE)
)
WINDOWED: Term = all_of(
    implies(is_("ike.own", NOTHING), is_("ike.room")),
    implies(all_of(is_("ike.peer_window", ONE), is_("ike.room")), is_("ike.own", NOTHING)),
)
"""What there being room has to do with what is outstanding: `IkeRecord.room`."""
OTHERS = "ike.others"
"""Not a variable of the rows: the requests outstanding besides the one that a response answers, by kind."""
SUBJECT: dict[str, Term] = {
    "CREATE_CHILD": is_("child.state", Child.CREATING, Child.DENIED),
    "REKEY_CHILD": is_("child.state", *REKEYING_CHILD),
    "DELETE_CHILD": is_("child.state", Child.DELETING, Child.HALF_CLOSED),
}
"""What the Child SA that an outstanding request is about looks like."""


class _Local(Symbols):
    """Symbols in which `SomeChild` is a free truth value: there may be any number of other Child SAs; and in which
    `own` is a set: several requests may be outstanding."""

    def equal(self, variable: str, value: Value) -> Any:
        if variable != OTHERS and not variable.endswith(".own"):
            return super().equal(variable, value)
        if value == NOTHING:
            return z3.Not(z3.Or(*(self._has(variable, kind) for kind in Kind)))
        return self._has(variable, value)

    def _has(self, variable: str, kind: Value) -> Any:
        return z3.Bool(f"{variable} has {kind}", self.context)

    def state(self, model: Any) -> dict[str, Value]:
        found = super().state(model)
        for name in found:
            if name.endswith(".own"):
                kinds = [str(each) for each in Kind if z3.is_true(model.eval(self._has(name, each)))]
                found[name] = ", ".join(kinds) or NOTHING
        return found

    def some_child(self, term: Term) -> Any:
        return z3.Bool(f"some {SomeChild(term)}", self.context)


def one_end() -> Symbols:
    """The variables of one end; `each` is some Child SA of the IKE SA."""
    variables = tuple(
        Variable(f"{scope}.{each.name}", each.domain, each.initial, each.meaning)
        for scope, record in SCOPES.items()
        for each in record
    )
    return _Local(*symbols(System(Scope("one end", ()), variables, ())))


def by_event(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows for each event."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if not row.variant:
            for name in triggers(row.on):
                found.setdefault(name, []).append(row)
    return found


def possible(at: Symbols, event: str) -> list[Any]:
    """When the event can happen at all: a response only to the outstanding request."""
    terms = [CONSISTENT, ALL_ALONE, WINDOWED]
    if event.startswith("response_"):
        own = next(each for each in at.domains["ike.own"] if event.startswith(f"response_{each}_"))
        terms.append(is_("ike.own", own))
        for kind in Kind:
            besides, outstanding = is_(OTHERS, kind), is_("ike.own", kind)
            terms.append(implies(besides, outstanding))
            if kind != own:
                terms.append(implies(outstanding, besides))
            elif kind in ALONE:
                terms.append(no(besides))
        if own in SUBJECT:
            terms.append(SUBJECT[str(own)])
    return [evaluate(each, at) for each in terms]


def every_event() -> Iterator[str]:
    """All that can happen to an end."""
    for kind in Kind:
        yield from (trigger("request", kind, position) for position in Position)
        yield from (trigger("response", kind, outcome) for outcome in Outcome)
    yield from (trigger("timer", alarm) for alarm in Alarm)
    yield from (trigger("input", what) for what in Input)
    yield from ("announce", "announced")


def overlaps(rows: Iterable[Row], events: Collection[str] | None = None) -> Iterator[Overlap]:
    """Rows that overlap without being a choice; on these events, or on any."""
    at = one_end()
    solver = z3.Solver(ctx=at.context)
    for event, candidates in by_event(rows).items():
        if events is not None and event not in events:
            continue
        solver.push()
        solver.add(*possible(at, event))
        for one, two in combinations(candidates, 2):
            if one.choice and one.choice == two.choice:
                continue
            if solver.check(*(evaluate(each.condition(), at) for each in (one, two))) != z3.unsat:
                yield Overlap(event, (one.name, two.name), _interesting(at, solver.model(), one, two))
        solver.pop()


def gaps(rows: Iterable[Row], events: Collection[str] | None = None) -> Iterator[Gap]:
    """Events of the peer, of the clock and of the network without a row; of these, or of all. (Nobody has to send a
    request.)"""
    at = one_end()
    candidates_for = by_event(rows)
    for event in every_event():
        if events is not None and event not in events:
            continue
        candidates = candidates_for.get(event, [])
        solver = z3.Solver(ctx=at.context)
        solver.add(*possible(at, event), z3.Not(at.disjoin([evaluate(each.condition(), at) for each in candidates])))
        if solver.check() != z3.unsat:
            yield Gap(event, _interesting(at, solver.model()))


def _interesting(at: Symbols, model: Any, *_: Row) -> dict[str, Value]:
    return {
        name: value
        for name, value in at.state(model).items()
        if name.startswith(("ike.", "child.", "fact.")) and value not in (False, NOTHING)
    }
