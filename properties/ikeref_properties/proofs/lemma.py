"""The lemma that lets the composed systems do without Message IDs (Sections 2.2 and 2.3, window 1).

One end, X, asks; the other, Y, answers. `sent` counts X's requests on one IKE SA, `seen` those that Y has answered,
`own` says that one is outstanding. The network may deliver every request and every response ever sent, any number of
times, at any time. From the rows it is read off that X sends only when nothing is outstanding, and that only a
response (or the end of the IKE SA) changes that. The lemma: a request that arrives fresh is the latest one, a
response that is expected answers the latest one, and no request ever lies beyond the window. Every other arrival is
a replay or unexpected, and does nothing.

No Message ID needs more than 32 bits: an IKE SA that has none left sends nothing any more (Section 2.2). But for that
the integers are unbounded. IKE_SA_INIT and IKE_AUTH are left out: all retries of IKE_SA_INIT have Message ID 0.

They have a lemma of their own (`at_first`): every IKE_SA_INIT, which always has Message ID 0, comes before any other
request of its end; each of those, IKE_AUTH first, has the Message ID after that of the request before it.
"""

import time
from typing import Any

import z3
from ikeref_model.events import Kind
from ikeref_model.local import one_end
from ikeref_model.rows import Row, ask
from ikeref_model.state import NOTHING, Ike
from ikeref_model.symbolic import Symbols
from ikeref_model.tables import ROWS
from ikeref_model.terms import All, Is, Not, Term, evaluate, is_

from ikeref_properties.proofs.verdict import Verdict

ID, FIRST_ID = "message-ids", "message-ids-at-first"
ROOM = frozenset((Is("ike.own", (NOTHING,)), Is("ike.room", (True,))))
"""What says that nothing is outstanding, where the window is 1."""
INITIAL = frozenset((Kind.IKE_SA_INIT, Kind.IKE_AUTH))
LAST = 0xFFFFFFFF
"""The last Message ID (Section 2.2); where the next one would be greater, `fact.used_up` holds."""


def prove(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma, from these rows; the claim is `refuted` with the reason where it fails."""
    started = time.perf_counter()
    why = _rows_break_it(rows) or _integers_break_it()
    return Verdict(
        ID,
        "Only the latest request and its response have an effect",
        "2.3",
        "rows",
        "refuted" if why else "proved",
        "z3, induction over unbounded integers",
        f"{len(rows)} rows",
        time.perf_counter() - started,
        "re-proved each time",
        why or "one IKE SA, window 1, any number of requests, every message at any time",
    )


def at_first(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma about IKE_SA_INIT, from these rows."""
    started = time.perf_counter()
    at = one_end()
    why = next(filter(None, (_out_of_order(row, at) for row in rows if not row.variant)), "") or _numbers_break_it()
    return Verdict(
        FIRST_ID,
        "IKE_SA_INIT has Message ID 0, retries included; every other request has the one after the last",
        "2.2",
        "rows",
        "refuted" if why else "proved",
        "z3, induction over unbounded integers",
        f"{len(rows)} rows",
        time.perf_counter() - started,
        "re-proved each time",
        why or "the initiator of one IKE SA, any number of retries and of EAP rounds",
    )


def _out_of_order(row: Row, at: Symbols) -> str:
    """How the row asks IKE_SA_INIT after something else, or something else without a request before it; "" if it does
    not."""
    asked = {Kind(each.name) for each in row.answers if each.what == "ask"}
    effects = {each.variable: each.value for each in row.effects()}
    begins = row.on.what == "send" and Kind.IKE_SA_INIT in row.on.kinds
    retries = row.on.what == "response" and row.on.kinds == {Kind.IKE_SA_INIT}
    if effects.get("ike.state") == Ike.INIT_SENT and not begins:
        return f"{row.name} goes back to IKE_SA_INIT"
    early = _possible(row, at, Ike.IDLE), _possible(row, at, Ike.INIT_SENT)
    late = _possible(row, at, *(each for each in Ike if each not in (Ike.IDLE, Ike.INIT_SENT)))
    if Kind.IKE_SA_INIT in asked:
        if late or early != (begins, retries):
            return f"{row.name} asks IKE_SA_INIT after something else"
        if not begins and {"ike.state", "ike.own"} & effects.keys():
            return f"{row.name} asks IKE_SA_INIT and forgets it"
    elif asked and any(early):
        if early != (False, True) or not retries:
            return f"{row.name} asks something before IKE_SA_INIT is answered"
        if effects.get("ike.state") in (None, Ike.IDLE, Ike.INIT_SENT):
            return f"{row.name} asks something and goes on with IKE_SA_INIT"
    return ""


def _possible(row: Row, at: Symbols, *states: Ike) -> bool:
    solver = z3.Solver(ctx=at.context)
    answer = solver.check(evaluate(row.condition(), at), evaluate(is_("ike.state", *states), at))
    return bool(answer != z3.unsat)


def _numbers_break_it() -> str:
    """What follows of the numbers: `last` is that of the last request, -1 before the first; `other` says that there
    was one besides IKE_SA_INIT."""
    context = z3.Context()
    last = z3.Int("last", context)
    other = z3.Bool("other", context)

    def lemma(last: Any, other: Any) -> Any:
        return z3.And(last >= -1, z3.Implies(other, last >= 1), z3.Implies(z3.Not(other), last <= 0))

    yes, no, zero = z3.BoolVal(True, context), z3.BoolVal(False, context), z3.IntVal(0, context)
    holds = lemma(last, other)
    claims = {
        "initiation": z3.Not(lemma(zero - 1, no)),
        "IKE_SA_INIT": z3.And(holds, z3.Not(other), z3.Not(lemma(zero, other))),
        "another request": z3.And(holds, last >= 0, z3.Not(lemma(last + 1, yes))),
        "0 for IKE_SA_INIT only": z3.And(holds, last >= 0, last + 1 == 0),
        "1 more than the last": z3.And(holds, other, last < 1),
    }
    for name, negated in claims.items():
        solver = z3.Solver(ctx=context)
        if solver.check(negated) != z3.unsat:
            return f"{name} fails"
    return ""


def conjuncts(term: Term) -> tuple[Term, ...]:
    return term.terms if isinstance(term, All) else (term,)


def _rows_break_it(rows: tuple[Row, ...]) -> str:
    """What the integer model takes for granted: how the rows write `ike.own`. "" if they do."""
    for row in rows:
        if row.variant or (row.on.kinds & INITIAL and row.on.what != "request"):
            continue
        effects = {each.variable: each.value for each in row.effects()}
        own = effects.get("ike.own")
        room = not ROOM.isdisjoint(conjuncts(row.condition()))
        match row.on.what:
            case "send":
                if not room:
                    return f"{row.name} sends while a request is outstanding"
                if own not in row.on.kinds:
                    return f"{row.name} does not remember what it sent"
                if Not(Is("fact.used_up", (True,))) not in conjuncts(row.condition()):
                    return f"{row.name} sends where no Message ID is left"
                if effects.get("ike.state") == Ike.CLOSED:
                    return f"{row.name} closes the IKE SA on which it sends"
            case "response":
                if own != NOTHING:
                    return f"{row.name} does not take note of the response"
            case "request" | "timer" if own is not None and room:
                if row.answers != ask(Kind(str(own))):
                    return f"{row.name} does not remember what it sent"
            case _:
                if own is not None and (own, effects.get("ike.state")) != (NOTHING, Ike.CLOSED):
                    return f"{row.name} changes what is outstanding"
    return ""


def _integers_break_it() -> str:
    context = z3.Context()
    sent, seen, number = z3.Ints("sent seen number", context)
    own, closed = z3.Bools("own closed", context)

    def lemma(sent: Any, seen: Any, own: Any, closed: Any) -> Any:
        return z3.And(
            seen >= 0,
            seen <= sent,
            sent <= seen + 1,
            sent <= LAST + 1,
            z3.Implies(own, sent >= 1),
            z3.Implies(z3.And(z3.Not(own), z3.Not(closed)), sent == seen),
        )

    yes, no = z3.BoolVal(True, context), z3.BoolVal(False, context)
    zero = z3.IntVal(0, context)
    holds = lemma(sent, seen, own, closed)
    arrived = z3.And(number >= 0, number < sent)
    answered = z3.And(number >= 0, number < seen)
    left = sent <= LAST
    fresh, expected = number == seen, z3.And(own, number == sent - 1)
    claims = {
        "initiation": z3.Not(lemma(zero, zero, no, no)),
        "send": z3.And(holds, z3.Not(own), z3.Not(closed), left, z3.Not(lemma(sent + 1, seen, yes, closed))),
        "answer": z3.And(holds, arrived, fresh, z3.Not(lemma(sent, seen + 1, own, closed))),
        "take the response": z3.And(holds, answered, expected, z3.Not(lemma(sent, seen, no, closed))),
        "close": z3.And(holds, z3.Not(lemma(sent, seen, no, yes))),
        "fresh means latest": z3.And(holds, arrived, fresh, number != sent - 1),
        "expected means answered": z3.And(holds, answered, expected, sent != seen),
        "never beyond the window": z3.And(holds, arrived, number > seen),
        "never beyond 32 bits": z3.And(holds, arrived, number > LAST),
    }
    for name, negated in claims.items():
        solver = z3.Solver(ctx=context)
        solver.add(negated)
        if solver.check() != z3.unsat:
            return f"{name} fails"
    solver = z3.Solver(ctx=context)
    solver.add(holds, arrived, fresh, own, sent > 1)
    return "" if solver.check() == z3.sat else "nothing satisfies the lemma"
