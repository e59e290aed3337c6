"""Lemmas about what the systems of `ikeref_model.focus` leave out: other Child SAs, and IKE SAs left behind.

`one_of_many`: what `focus` takes for granted of the rows. A row names Child SAs only as the one in question, its two
replacements, and all of an IKE SA. Nonces decide once about a Child SA: at an end that has accepted the peer's rekey
of it, or closed it, it is never open or rekeying again, so one choice of whose nonce is lowest stands for all.

`left_behind`: when the window of IKE SAs moves on, what it leaves (`succession.left`, `succession.ending`) stays so
whatever happens, changes nothing that is still in the window, and at rest has ended at both ends.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from ikeref_model.focus import DROPPED as JUDGED
from ikeref_model.focus import MAKER, THIS, build_focus
from ikeref_model.rows import Row
from ikeref_model.sat import Encoding
from ikeref_model.state import NOTHING, SCOPES, Child, Ike
from ikeref_model.succession import DROPPED, ending, left
from ikeref_model.system import ENDS, PEER, Right, Step, System
from ikeref_model.tables import ROWS
from ikeref_model.terms import Pick, Term, Value, all_of, is_, isnt, no, variables_of

from ikeref_properties.proofs.statements import LINE_SCOPE, without_deferral
from ikeref_properties.proofs.verdict import Verdict

ONE_OF_MANY, LEFT_BEHIND = "one-of-many", "left-behind"
LATE = (
    Child.REPLACED,
    Child.CROSSED,
    Child.REKEYING_GONE,
    Child.CROSSED_GONE,
    Child.UNWANTED,
    Child.DENIED,
    Child.DELETING,
    Child.HALF_CLOSED,
)
"""The states of a Child SA after its last rekey was accepted or its end has begun."""
EARLY = (Child.OPEN, Child.REKEYING)


def _verdict(id: str, title: str, section: str, engine: str, size: str, bounds: str, why: Callable[[], str]) -> Verdict:
    started = time.perf_counter()
    found = why()
    claim = "refuted" if found else "proved"
    seconds = time.perf_counter() - started
    return Verdict(id, title, section, "rows", claim, engine, size, seconds, "re-proved each time", found or bounds)


def one_of_many(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma, from these rows."""
    kept = [row for row in rows if not row.variant]
    return _verdict(
        ONE_OF_MANY,
        "A Child SA is touched only by rows about itself, its parent or its IKE SA, and nonces decide once about it",
        "2.8.1",
        "syntax of the rows",
        f"{len(kept)} rows",
        "any number of Child SAs; a name is given to a Child SA once",
        lambda: next(filter(None, map(_reaches_out, kept)), ""),
    )


def _reaches_out(row: Row) -> str:
    """How a row reaches Child SAs otherwise, or makes one young again; "" if it does not."""
    read = set(variables_of(row.condition()))
    for each in row.effects():
        if isinstance(each.value, Pick):
            read |= variables_of(each.value.condition)
    unknown = {each.partition(".")[0] for each in read | {each.variable for each in row.effects()}} - set(SCOPES)
    if unknown:
        return f"{row.name} speaks of {sorted(unknown)[0]}"
    written = {each.variable: each.value for each in row.effects()}
    ends = _outcomes(written.get("child.state"))
    accepts = isinstance(written.get("child_theirs.state"), str)
    if row.component == "child" and accepts and (set(row.source) - set(EARLY) or not ends <= set(LATE)):
        return f"{row.name} accepts a rekey of a Child SA and can do so again"
    if row.component == "child" and set(row.source) & set(LATE) - {Child.DENIED} and ends & set(EARLY):
        return f"{row.name} makes a Child SA young again"
    if _outcomes(written.get("each.state")) & set(EARLY):
        return f"{row.name} makes Child SAs young again"
    return ""


def _outcomes(value: Value | Pick | None) -> set[Value | None]:
    """What the value may be afterwards, if it is set."""
    if isinstance(value, Pick):
        return {value.then, value.otherwise} - {None}
    return {value} - {None}


def left_behind(rows: tuple[Row, ...] = ROWS) -> Verdict:
    """The lemma, from these rows."""
    system = build_focus(LINE_SCOPE, without_deferral(rows))
    return _verdict(
        LEFT_BEHIND,
        "An IKE SA that is left behind only waits for its end, and touches nothing else",
        "2.8.2",
        "z3, every state",
        f"{len(system.steps)} steps",
        LINE_SCOPE.title + "; window 1",
        lambda: next(_disturbances(system), ""),
    )


def _disturbances(system: System) -> Iterator[str]:
    at = Encoding(system)
    children = system.scope.children
    for drop in DROPPED.values():
        behind = ("old", drop)
        premise = all_of(*(left(ike, children) for ike in behind), *(ending(ike) for ike in behind))
        before = at.holds(premise)
        if not at.possible(before):
            yield "nothing is ever left behind"
        rest = all_of(*(_at_rest(ike) for ike in behind), no(all_of(*map(_ended, behind))))
        if at.possible(before, at.holds(rest)):
            yield "an IKE SA that is left behind need not end"
        for step in system.steps:
            if step.row != "on":
                yield from _disturbance(at, step, behind, premise, before)


def _disturbance(at: Encoding, step: Step, behind: tuple[str, ...], premise: Term, before: int) -> Iterator[str]:
    assign = dict(step.assign)
    guard = at.holds(step.guard)
    theirs = [each for each in assign if any(part in each for ike in behind for part in (f".ike_{ike}.", f">{ike}."))]
    if not theirs or not at.possible(before, guard):
        return
    if at.possible(before, guard, -at.holds(premise, assign)):
        yield f"{step.name} brings back what was left behind"
    touched = at.either(_changes(at, each, assign) for each in theirs)
    others = [each for each in assign if each not in theirs]
    changed = at.either(_changes(at, each, assign) for each in others)
    if at.possible(before, guard, touched, changed, -_foreseen(at, assign, others)):
        yield f"{step.name} touches more than what was left behind"


def _foreseen(at: Encoding, assign: Mapping[str, Right], others: list[str]) -> int:
    """That nothing changes but what may happen at any time: `this` is found to be superfluous, or is sent on."""
    child = f"{PEER[MAKER]}.child_{THIS}"
    foreseen = {f"{child}.state", f"{child}.out", JUDGED}
    same = [-_changes(at, each, assign) for each in others if each not in foreseen]
    turned = at.both((at.among(f"{child}.state", (Child.OPEN,)), at.will(f"{child}.state", (Child.REPLACED,), assign)))
    stays = -_changes(at, f"{child}.state", assign)
    sent = at.either((-_changes(at, f"{child}.out", assign), at.will(f"{child}.out", (True,), assign)))
    return at.both((*same, sent, at.either((turned, stays))))


def _changes(at: Encoding, variable: str, assign: Mapping[str, Right]) -> int:
    return at.either(
        at.both((at.will(variable, (value,), assign), -at.among(variable, (value,)))) for value in at.values[variable]
    )


def _at_rest(ike: str) -> Term:
    own = (is_(f"{end}.ike_{ike}.own", NOTHING) for end in ENDS)
    return all_of(*own, *(isnt(f"{end}.ike_{ike}.due") for end in ENDS))


def _ended(ike: str) -> Term:
    return all_of(*(is_(f"{end}.ike_{ike}.state", Ike.IDLE, Ike.CLOSED) for end in ENDS))
