"""Runs end (Section 2.25): a number that every step makes smaller, but for the commands of the users.

It counts what is still to be done: so much for each request under way, less when it is answered, and so much for each
Delete that is due. z3 shows, row by row, that whatever the state, taking a request or a response, or sending a Delete
that is due, leaves a smaller sum. A row touches one request, the records of one IKE SA and its successors, and those
of one Child SA and its replacements, and makes no Delete of other Child SAs due; so this holds of any number of IKE
SAs, of Child SAs and of requests under way, and of windows of any size. A retry is a command: with finitely many of
them a run takes finitely many steps.
"""

import time
from typing import Any

import z3
from ikeref_model.events import Kind, Position
from ikeref_model.local import one_end
from ikeref_model.rows import Row
from ikeref_model.sentences import afterwards
from ikeref_model.symbolic import Symbols
from ikeref_model.tables import ROWS
from ikeref_model.terms import Term, evaluate, is_

from ikeref_properties.proofs.verdict import Verdict

ID = "runs-end"
DUE = 3
"""A Delete that is due."""
LEAVING: tuple[Kind, ...] = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.REKEY_IKE)
"""What may leave a Delete to be done: a rekey, and a Child SA that its initiator does not accept."""
ASKED: dict[Kind, int] = dict.fromkeys(LEAVING, DUE + 2)
"""A request that is not answered yet."""
ANSWERED: dict[Kind, int] = dict.fromkeys(LEAVING, DUE + 1)
OTHERWISE_ASKED, OTHERWISE_ANSWERED = 2, 1
RECORDS = ("ike", "ike_mine", "ike_theirs", "child", "child_mine", "child_theirs")
INITIAL = frozenset((Kind.IKE_SA_INIT, Kind.IKE_AUTH))


def asked(kind: str) -> int:
    """The weight of a request under way."""
    return ASKED.get(Kind(kind), OTHERWISE_ASKED)


def answered(kind: str) -> int:
    """The weight of a response under way."""
    return ANSWERED.get(Kind(kind), OTHERWISE_ANSWERED)


def is_command(row: Row) -> bool:
    """Whether a user asks for it; a Delete that a rekey leaves is sent of one's own accord."""
    return row.on.what == "send" and not row.name.endswith(".due")


def prove(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma, from these rows; the claim is `refuted` with the reason where it fails."""
    started = time.perf_counter()
    at = one_end()
    taken = [row for row in rows if not row.variant and row.on.what in ("send", "request", "response")]
    fresh = [row for row in taken if row.on.position in (None, Position.FRESH)]
    later = [row for row in fresh if row.on.kinds - INITIAL and not is_command(row)]
    why = next(filter(None, (_grows(at, row) for row in later)), "")
    return Verdict(
        ID,
        "Without commands every step leaves less to be done",
        "2.25",
        "rows",
        "refuted" if why else "proved",
        "z3, ranking",
        f"{len(later)} rows",
        time.perf_counter() - started,
        "re-proved each time",
        why or "after IKE_AUTH; any number of IKE SAs, Child SAs and requests under way; a retry is a command",
    )


def _grows(at: Symbols, row: Row) -> str:
    """How a row leaves as much to be done as before, or more; "" if it does not."""
    for kind in sorted(row.on.kinds - INITIAL):
        new = sum(asked(each.name) for each in row.answers if each.what == "ask" and row.on.what != "send")
        match row.on.what:
            case "send":
                change = asked(kind)
            case "request":
                change = answered(kind) - asked(kind) + new
            case _:
                change = new - answered(kind)
        solver = z3.Solver(ctx=at.context)
        solver.add(evaluate(row.condition(), at))
        if solver.check() == z3.unsat:
            continue
        before: Any = z3.Sum(*(_due(at, is_(f"{each}.due")) for each in RECORDS))
        after: Any = z3.Sum(*(_due(at, afterwards(is_(f"{each}.due"), row)) for each in RECORDS))
        if solver.check(after + change >= before) != z3.unsat:
            return f"{row.name} ({kind}) leaves no less to be done"
        more = (evaluate(afterwards(is_("each.due"), row), at), z3.Not(evaluate(is_("each.due"), at)))
        if solver.check(*more) != z3.unsat:
            return f"{row.name} makes Deletes of other Child SAs due"
    return ""


def _due(at: Symbols, term: Term) -> Any:
    return z3.If(evaluate(term, at), z3.IntVal(DUE, at.context), z3.IntVal(0, at.context))
