"""Seeded faults on the rows, and which statement finds each.

A fault is a table with one rule changed. A check that finds no fault proves nothing about itself; a fault that no
check finds is argued here. Some faults are literal readings of the RFC that break; docs/silences.md tells their story.
`python -m ikeref_properties.mutants_rows` prints the matrix.
"""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from ikeref_model.explore import explore
from ikeref_model.ike_rekey import BUSY_WITH_CHILD
from ikeref_model.rows import Row, dissolved, handed_over, opened, shut
from ikeref_model.state import ANNOUNCED, Child, Ike
from ikeref_model.tables import ROWS
from ikeref_model.terms import All, Not, Pick, Set, Term, Value, all_of, is_, isnt, no

from ikeref_properties.proofs import LEMMAS, STATEMENTS, Statement, lemma, windows_lemma

Rows = tuple[Row, ...]


class Fault(NamedTuple):
    """A changed table."""

    name: str
    what: str
    found_by: str
    """The id of the statement that has to find it; "" if it is argued to be harmless."""
    rows: Rows
    argument: str = ""


def _change(name: str, change: Callable[[Row], Row]) -> Rows:
    changed = tuple(change(row) if row.name == name else row for row in ROWS)
    assert changed != ROWS, name
    return changed


def without_guard(name: str, variable: str) -> Rows:
    """The table with every conjunct that reads `variable` dropped from the guard of a row."""

    def change(row: Row) -> Row:
        terms = row.guard.terms if isinstance(row.guard, All) else (row.guard,)
        return row._replace(guard=all_of(*(term for term in terms if variable not in str(term))))

    return _change(name, change)


def without_update(name: str, *variables: str) -> Rows:
    """The table with some updates of a row dropped."""
    return _change(
        name, lambda row: row._replace(update=tuple(each for each in row.update if each.variable not in variables))
    )


def with_update(name: str, update: dict[str, Value | Pick]) -> Rows:
    """The table with some updates of a row replaced or added."""

    def change(row: Row) -> Row:
        kept = tuple(each for each in row.update if each.variable not in update)
        return row._replace(update=(*kept, *(Set(variable, value) for variable, value in update.items())))

    return _change(name, change)


def with_guard(name: str, guard: Term) -> Rows:
    """The table with another guard for a row."""
    return _change(name, lambda row: row._replace(guard=guard))


def _children_lost_on_crossed_delete() -> Rows:
    def change(row: Row) -> Row:
        kept = tuple(each for each in row.update if not each.variable.startswith("each."))
        return row._replace(update=(*kept, *(Set(variable, value) for variable, value in dissolved().items())))

    return _change("collision.delete_ike.rekeying.crossed", change)


def _nonces_only_if_it_still_exists() -> Rows:
    rows = []
    exists = isnt("child_theirs.state", Child.ABSENT)
    for row in ROWS:
        if row.name in ("child.rekey.response.lost", "child.rekey.response.lost.gone"):
            row = row._replace(guard=all_of(row.guard, exists))
        if row.name in ("child.rekey.response.won", "child.rekey.response.won.gone"):
            row = row._replace(guard=no(all_of(is_("fact.lowest_is_mine"), exists)))
        rows.append(row)
    return tuple(rows)


def _deny_and_forget() -> Rows:
    return tuple(row._replace(destination="") if row.name == "collision.delete_child.unborn" else row for row in ROWS)


def _inherit_at_once_when_crossed() -> Rows:
    return with_update("collision.rekey_ike.rekeying", handed_over("theirs"))


def _accept_while_busy() -> Rows:
    rows = []
    for row in ROWS:
        if row.name == "collision.rekey_ike.child_busy":
            continue
        terms = row.guard.terms if isinstance(row.guard, All) else (row.guard,)
        if Not(BUSY_WITH_CHILD) in terms:
            row = row._replace(guard=all_of(*(term for term in terms if term != Not(BUSY_WITH_CHILD))))
        rows.append(row)
    return tuple(rows)


def _winner_and_loser_on_one_side() -> Rows:
    """Ends compare different nonces: each takes itself for the winner."""
    rows = []
    for row in ROWS:
        if row.name.startswith("child.rekey.response.won"):
            row = row._replace(guard=all_of())
        elif row.name.startswith("child.rekey.response.lost"):
            continue
        rows.append(row)
    return tuple(rows)


def _highest_loses() -> Rows:
    """Both ends mistake the highest nonce for the lowest, and agree about it."""
    lost, won = is_("fact.lowest_is_mine"), isnt("fact.lowest_is_mine")
    return tuple(
        row._replace(guard=won if row.guard == lost else lost)
        if row.component == "child" and row.guard in (lost, won)
        else row
        for row in ROWS
    )


AUTH, PAIRS, HEIRS = "no-child-before-auth", "child-sas-in-pairs", "inherited-exactly-once"
BOTH, JUDGED = "pairs-and-inheritance", "judged-alike"
TRAFFIC, TRAFFIC_TOO = "traffic-goes-on", "traffic-through-ike-rekeys"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "auth.unchecked.responder",
        "the responder does not verify AUTH",
        AUTH,
        without_guard("auth.request.accept", "fact.verifies"),
    ),
    Fault(
        "auth.unchecked.initiator",
        "the initiator does not verify AUTH",
        AUTH,
        without_guard("auth.response.ok", "fact.verifies"),
    ),
    Fault(
        "auth.childless.unchecked",
        "AUTH is not verified where the Child SA is refused",
        AUTH,
        without_guard("auth.request.childless", "fact.verifies"),
    ),
    Fault(
        "auth.rekey.half_open",
        "a half-open IKE SA can be rekeyed, and its successor counts as authenticated",
        AUTH,
        _change("ike.rekey.request.accept", lambda row: row._replace(source=(*row.source, Ike.HALF_OPEN))),
    ),
    Fault(
        "auth.create.half_open",
        "CREATE_CHILD_SA is served before IKE_AUTH",
        AUTH,
        with_guard("child.create.request.accept", is_("ike.state", Ike.ESTABLISHED, Ike.HALF_OPEN)),
    ),
    Fault(
        "delete.keeps_outgoing",
        "a Delete closes only the incoming SA",
        PAIRS,
        without_update("child.delete.request", "child.out"),
    ),
    Fault(
        "delete.keeps_incoming",
        "a Delete closes only the outgoing SA",
        PAIRS,
        without_update("child.delete.request", "child.in"),
    ),
    Fault(
        "delete.response_ignored",
        "the end that deletes does not close its outgoing SA on the response",
        PAIRS,
        without_update("child.delete.response.ok", "child.out"),
    ),
    Fault(
        "delete.crossed.incoming_stays",
        "after crossing Deletes the incoming SA is not closed with the response",
        PAIRS,
        without_update("child.delete.response.crossed", "child.in"),
    ),
    Fault(
        "delete.crossed.outgoing_stays",
        "in crossing Deletes the outgoing SA is not closed on the request",
        "",
        without_update("collision.delete_child.closing", "child.out"),
        "the response closes both directions, so pairs are restored; when it closes is pinned by a test of the row",
    ),
    Fault(
        "delete.crossed.forgotten",
        "the end that deletes forgets its own Delete when the peer's arrives and answers as usual",
        "",
        _change(
            "collision.delete_child.closing",
            lambda row: row._replace(update=tuple(Set(k, v) for k, v in shut("child", keep=True).items())),
        ),
        "both directions close at once instead of one by one; when they close is pinned by a test of the row",
    ),
    Fault(
        "rekey.both_win",
        "each end takes itself for the winner of a simultaneous rekey",
        PAIRS,
        _winner_and_loser_on_one_side(),
    ),
    Fault(
        "rekey.highest_loses",
        "of a simultaneous rekey the Child SA with the highest nonce is deleted, at both ends alike",
        BOTH,
        _highest_loses(),
    ),
    Fault(
        "rekey.asked_twice",
        "a Child SA is rekeyed again while the answer to the last rekey of it is awaited",
        JUDGED,
        _change("child.rekey.send", lambda row: row._replace(source=(*row.source, Child.REKEYING))),
    ),
    Fault(
        "rekey.half_installed",
        "the responder to a rekey installs the incoming SA, and the outgoing one not even when the old one goes",
        PAIRS,
        without_update("child.delete.request", "child_theirs.out"),
    ),
    Fault(
        "rekey.old_closed_at_once",
        "the responder to a rekey closes the old Child SA as soon as it has the new one",
        TRAFFIC,
        with_update("child.rekey.request.accept", {**opened("child_theirs"), **shut("child", keep=True)}),
    ),
    Fault(
        "inherit.silenced",
        "the responder to a rekey of the IKE SA stops sending on the Child SAs that the new one inherits",
        TRAFFIC_TOO,
        with_update("ike.rekey.request.accept", {"each.out": False}),
    ),
    Fault(
        "rekey.refused_but_installed",
        "a rekey that was refused installs the new Child SA at its initiator",
        PAIRS,
        with_update("child.rekey.response.temporary", opened("child_mine")),
    ),
    Fault(
        "literal.denied_then_installed",
        "an end that has answered that a Child SA does not exist installs it when its own response arrives",
        PAIRS,
        _deny_and_forget(),
    ),
    Fault(
        "literal.nonces_only_if_it_still_exists",
        "nonces are compared only if the peer's new Child SA still exists",
        PAIRS,
        _nonces_only_if_it_still_exists(),
    ),
    Fault(
        "literal.orphan_ike",
        "the winner deletes the old IKE SA while the redundant one still stands",
        HEIRS,
        without_guard("ike.delete.send.due", "ike_theirs.state"),
    ),
    Fault(
        "literal.delete_ends_children",
        "a Delete of the old IKE SA during one's own rekey ends its Child SAs although the peer's successor exists",
        HEIRS,
        _children_lost_on_crossed_delete(),
    ),
    Fault(
        "literal.rekey_while_busy",
        "a rekey of the IKE SA is accepted while a Child SA exchange of one's own is outstanding",
        HEIRS,
        _accept_while_busy(),
    ),
    Fault(
        "inherit.doubled",
        "the old IKE SA keeps its Child SAs when the successor inherits them",
        HEIRS,
        without_update("ike.rekey.response.ok", "each.on_ike"),
    ),
    Fault(
        "inherit.lost",
        "the successor does not inherit when this end has answered the rekey",
        HEIRS,
        without_update("ike.rekey.request.accept", "each.on_theirs"),
    ),
    Fault(
        "inherit.wrong_heir",
        "the loser of a simultaneous rekey keeps the Child SAs on its own successor",
        HEIRS,
        with_update("ike.rekey.response.lost", {"each.on_theirs": False, "each.on_mine": True}),
    ),
    Fault(
        "inherit.too_early",
        "in a simultaneous rekey the peer's successor inherits before the nonces are compared",
        HEIRS,
        _inherit_at_once_when_crossed(),
    ),
    Fault(
        "inherit.delete_on_wrong_ike",
        "a Child SA is deleted over an IKE SA that does not control it",
        HEIRS,
        without_guard("child.delete.send", "child.on_ike"),
    ),
    Fault(
        "window.two_outstanding",
        "a second request is sent while one is outstanding",
        lemma.ID,
        without_guard("ike.rekey.send", "ike.own"),
    ),
    Fault(
        "init.asked_late",
        "IKE_SA_INIT is sent again, with a cookie, although IKE_AUTH is under way",
        lemma.FIRST_ID,
        _change("init.response.cookie", lambda row: row._replace(source=(*row.source, Ike.AUTH_SENT))),
    ),
    Fault(
        "window.response_not_taken",
        "a response leaves its request outstanding",
        lemma.ID,
        without_update("liveness.response", "ike.own"),
    ),
    Fault(
        "window.beyond",
        "a request for a Child SA is sent although the peer's window has no room",
        windows_lemma.ID,
        with_guard("child.create.send", is_("ike.state", Ike.ESTABLISHED)),
    ),
    Fault(
        "window.shrinks",
        "SET_WINDOW_SIZE with a smaller size makes the peer's window smaller",
        windows_lemma.ID,
        with_update("window.announced.smaller", {"ike.peer_window": ANNOUNCED}),
    ),
    Fault(
        "window.own_shrinks",
        "an end that announces a smaller size takes fewer requests from then on",
        windows_lemma.ID,
        with_update("window.announce.smaller", {"ike.window": ANNOUNCED}),
    ),
    Fault(
        "window.carried_over",
        "the IKE SA that a rekey makes begins with the peer's window of the old one",
        windows_lemma.ID,
        with_update("ike.rekey.response.ok", {"ike_mine.peer_window": ANNOUNCED}),
    ),
)


class Finding(NamedTuple):
    """What one statement says about one fault."""

    fault: str
    statement: str
    found: bool
    depth: int
    seconds: float


def try_fault(fault: Fault, statement: Statement, limit: int = 400_000) -> Finding:
    """Search for a violation, breadth-first."""
    started = time.perf_counter()
    system = statement.build(fault.rows)
    violation = explore(system, no(statement.safe(system)), limit=limit).violation
    depth = len(violation.steps) if violation else 0
    return Finding(fault.name, statement.id, violation is not None, depth, time.perf_counter() - started)


def try_lemma(fault: Fault, id: str) -> Finding:
    """The same for a lemma."""
    verdict = LEMMAS[id](fault.rows)
    return Finding(fault.name, id, not verdict.good, 0, verdict.seconds)


def matrix(limit: int = 60_000) -> tuple[Finding, ...]:
    """Every fault against every statement."""
    found = []
    for fault in FAULTS:
        found += [try_lemma(fault, each) for each in LEMMAS]
        found += [try_fault(fault, each, limit) for each in STATEMENTS]
    return tuple(found)


def main() -> int:
    """Print the matrix; exit status 1 if a fault is not found by what has to find it."""
    status = 0
    findings = matrix()
    for fault in FAULTS:
        by = [each for each in findings if each.fault == fault.name and each.found]
        words = ", ".join(f"{each.statement} ({each.depth} steps, {each.seconds:.1f} s)" for each in by)
        print(f"{fault.name}: {words or 'not found: ' + fault.argument}")
        if fault.found_by and fault.found_by not in {each.statement for each in by}:
            print(f"  MISSED by {fault.found_by}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
