"""The lemma on windows of any size (Sections 2.1 and 2.3): nothing that a conforming end sends lies beyond the window
of its peer, and no response that may still be asked for is forgotten.

One end, X, asks; the other, Y, answers. `sent` counts X's requests on one IKE SA; `answered` are those that Y has
answered, in whatever order, `taken` those whose responses X has got. X sends while its lowest unanswered request and
the next one are less than `allowed` apart, which is the largest size that it has been told; Y takes requests that are
less than `window` above the lowest that it has not answered, where `window` is the largest size that it has said. The
network may deliver every message ever sent, any number of times, at any time; so what Y has said may reach X late,
never, or in another order.

The integers are unbounded, the sets are arrays over them. Of the rows it is read off that whatever is sent needs room,
and that a window size is written only by SET_WINDOW_SIZE that says more, or to 1 where an IKE SA begins.
"""

import time
from typing import Any

import z3
from ikeref_model.events import Kind
from ikeref_model.rows import Row
from ikeref_model.state import ONE
from ikeref_model.tables import ROWS
from ikeref_model.terms import Is

from ikeref_properties.proofs.lemma import ROOM, conjuncts
from ikeref_properties.proofs.verdict import Verdict

ID = "windows"
SIZES = ("window", "peer_window")


def prove(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma, from these rows; the claim is `refuted` with the reason where it fails."""
    started = time.perf_counter()
    why = _rows_break_it(rows) or _integers_break_it()
    return Verdict(
        ID,
        "No request lies beyond the peer's window, and no response that may be asked for again is forgotten",
        "2.3",
        "rows",
        "refuted" if why else "proved",
        "z3, induction over unbounded integers and sets of them",
        f"{len(rows)} rows",
        time.perf_counter() - started,
        "re-proved each time",
        why or "one IKE SA, windows of any size, requests answered in any order, every message at any time",
    )


def _rows_break_it(rows: tuple[Row, ...]) -> str:
    """What the integer model takes for granted. "" if the rows say so."""
    for row in rows:
        if row.variant:
            continue
        own = [each.value for each in row.effects() if each.variable == "ike.own"]
        asked = [each.name for each in row.answers if each.what == "ask" and row.on.what in ("send", "request")]
        if asked and ROOM.isdisjoint(conjuncts(row.condition())) and asked != [Kind.IKE_SA_INIT]:
            return f"{row.name} sends although there may be no room"
        if asked and own != asked:
            return f"{row.name} does not remember what it sends"
        for each in row.effects():
            scope, _, name = each.variable.partition(".")
            if name not in SIZES:
                continue
            born = scope != "ike" and each.value == ONE
            said = {"announce": "ike.window", "announced": "ike.peer_window"}.get(row.on.what) == each.variable
            if not born and not (said and Is("fact.larger", (True,)) in conjuncts(row.condition())):
                return f"{row.name} changes {each.variable} otherwise than to a larger size that was said"
    return ""


def _integers_break_it() -> str:
    context = z3.Context()
    sort = z3.IntSort(context)
    sent, allowed, window, said, number, low, least = z3.Ints("sent allowed window said number low least", context)
    answered, taken = (z3.Array(name, sort, z3.BoolSort(context)) for name in ("answered", "taken"))
    any_number = z3.Int("n", context)
    yes = z3.BoolVal(True, context)

    def every(*facts: Any) -> Any:
        return z3.ForAll([any_number], z3.And(*facts))

    def lemma(sent: Any, allowed: Any, window: Any, answered: Any, taken: Any) -> Any:
        """All that is sent is numbered from 0; what is taken was answered, what is answered was sent; every number that
        was sent is less than `allowed` above any that is not taken."""
        m = z3.Int("m", context)
        return z3.And(
            sent >= 0,
            allowed >= 1,
            allowed <= window,
            every(
                z3.Implies(taken[any_number], answered[any_number]),
                z3.Implies(answered[any_number], z3.And(any_number >= 0, any_number < sent)),
            ),
            z3.ForAll([m], z3.Implies(z3.And(m >= 0, m < sent, z3.Not(taken[m])), sent - 1 < m + allowed)),
        )

    def lowest(value: Any, inside: Any) -> Any:
        """The lowest number that is not in the set."""
        return z3.And(
            value >= 0,
            z3.Not(inside[value]),
            every(z3.Implies(z3.And(any_number >= 0, any_number < value), inside[any_number])),
        )

    before = z3.And(lemma(sent, allowed, window, answered, taken), lowest(low, answered), lowest(least, taken))
    arrived = z3.And(number >= 0, number < sent)
    room = z3.Or(least == sent, sent < least + allowed)
    empty = z3.K(sort, z3.BoolVal(False, context))
    zero, one = z3.IntVal(0, context), z3.IntVal(1, context)

    def unless(*after: Any) -> Any:
        return z3.Not(lemma(*after))

    claims = {
        "initiation": unless(zero, one, one, empty, empty),
        "send": z3.And(before, room, unless(sent + 1, allowed, window, answered, taken)),
        "answer": z3.And(before, arrived, unless(sent, allowed, window, z3.Store(answered, number, yes), taken)),
        "take the response": z3.And(
            before, arrived, answered[number], unless(sent, allowed, window, answered, z3.Store(taken, number, yes))
        ),
        "say a larger size": z3.And(before, said > window, unless(sent, allowed, said, answered, taken)),
        "be told a larger size": z3.And(
            before, said > allowed, said <= window, unless(sent, said, window, answered, taken)
        ),
        "never beyond the window": z3.And(before, arrived, number >= low + window),
        "nothing outstanding is forgotten": z3.And(
            # the request that came last, `said`, has to be `window` above one before the response may be forgotten
            before,
            arrived,
            z3.Not(taken[number]),
            said < sent,
            said >= number + window,
        ),
    }
    for name, negated in claims.items():
        solver = z3.Solver(ctx=context)
        solver.add(negated)
        if solver.check() != z3.unsat:
            return f"{name} fails"
    solver = z3.Solver(ctx=context)
    solver.add(before, z3.Not(room), allowed == 4, window == 8, low < sent, low > least, answered[low + 1])
    return "" if solver.check() == z3.sat else "nothing satisfies the lemma"
