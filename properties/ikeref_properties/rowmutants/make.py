"""The faults: one change of one row each."""

from collections.abc import Iterator
from typing import NamedTuple

from ikeref_model.events import Outcome
from ikeref_model.rows import Answer, Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ROWS
from ikeref_model.terms import All, Is, Not, Pick, Set, Some, SomeChild, Term, all_of, no, text


class Mutant(NamedTuple):
    """A changed row."""

    id: str
    kind: str
    row: str
    """The row that is changed."""
    what: str
    changed: Row | None
    """None: the row is dropped."""

    def rows(self, rows: tuple[Row, ...] = ROWS) -> tuple[Row, ...]:
        """The whole table with the change."""
        swapped = (self.changed if each.name == self.row else each for each in rows)
        return tuple(each for each in swapped if each is not None)


OTHER = {
    Outcome.OK: Outcome.REFUSED,
    Outcome.EMPTY: Outcome.OK,
    Outcome.TEMPORARY_FAILURE: Outcome.OK,
    Outcome.CHILD_SA_NOT_FOUND: Outcome.OK,
    Outcome.INVALID_SYNTAX: Outcome.OK,
    Outcome.AUTHENTICATION_FAILED: Outcome.OK,
    Outcome.COOKIE: Outcome.OK,
    Outcome.INVALID_KE_PAYLOAD: Outcome.OK,
    Outcome.REFUSED: Outcome.OK,
    Outcome.UNSUPPORTED_CRITICAL_PAYLOAD: Outcome.OK,
    Outcome.EAP: Outcome.OK,
    Outcome.EAP_SUCCESS: Outcome.EAP,
    Outcome.EAP_FAILURE: Outcome.EAP,
    Outcome.NO_ADDITIONAL_SAS: Outcome.OK,
}
"""What is answered instead."""
SIDES = {"_mine": "_theirs", "_theirs": "_mine"}


def mutants(rows: tuple[Row, ...] = ROWS) -> Iterator[Mutant]:
    """Every fault of every row, in the order of the rows."""
    for row in rows:
        for number, (kind, what, changed) in enumerate(_of(row), 1):
            if changed == row:
                continue  # both values of a choice are the same
            yield Mutant(f"{row.name}#{number}", kind, row.name, what, changed)


def _of(row: Row) -> Iterator[tuple[str, str, Row | None]]:
    yield "row", "the row is dropped", None
    conjuncts = row.guard.terms if isinstance(row.guard, All) else (row.guard,)
    for at, term in enumerate(conjuncts):
        others = (*conjuncts[:at], *conjuncts[at + 1 :])
        yield "guard", f"without “{text(term)}”", row._replace(guard=all_of(*others))
        if "fact.malformed" not in text(term):
            opposite = term.term if isinstance(term, Not) else no(term)
            yield "guard", f"the opposite of “{text(term)}”", row._replace(guard=all_of(*others, opposite))
    if len(row.source) > 1:
        for state in row.source:
            kept = tuple(each for each in row.source if each != state)
            yield "source", f"not in {state}", row._replace(source=kept)
    for at, each in enumerate(row.update):
        kept_updates = (*row.update[:at], *row.update[at + 1 :])
        yield "update", f"{each.variable} is not updated", row._replace(update=kept_updates)
        if isinstance(each.value, Pick):
            swapped = Pick(each.value.condition, each.value.otherwise, each.value.then)
            put = (*row.update[:at], Set(each.variable, swapped), *row.update[at + 1 :])
            yield "update", f"{each.variable} takes the other value", row._replace(update=put)
    yield from _answers(row)
    if row.destination:
        yield "destination", "the state stays", row._replace(destination="")
        states: list[str] = [*Ike] if row.component == "ike" else [*Child]
        instead = states[(states.index(row.destination) + 1) % len(states)]
        yield "destination", f"to {instead} instead of {row.destination}", row._replace(destination=str(instead))
    yield from _sides(row)


def _answers(row: Row) -> Iterator[tuple[str, str, Row | None]]:
    if row.on.what not in ("request", "timer", "input"):
        return
    replies = [each for each in row.answers if each.what == "reply"]
    for each in sorted(replies):
        other = Answer("reply", OTHER[Outcome(each.name)])
        changed = frozenset(row.answers - {each} | {other})
        yield "answer", f"{other.text()} instead of {each.text()}", row._replace(answers=changed)
    if replies:
        yield "answer", "silence instead of an answer", row._replace(answers=frozenset((Answer("nothing"),)))
    elif Answer("repeat") in row.answers:
        yield "answer", "nothing is repeated", row._replace(answers=frozenset((Answer("nothing"),)))
    else:
        what = Answer("reply", Outcome.OK) if row.on.what == "request" else Answer("repeat")
        yield "answer", f"{what.text()} instead of silence", row._replace(answers=frozenset((what,)))


def _sides(row: Row) -> Iterator[tuple[str, str, Row | None]]:
    guard = _swapped(row.guard)
    update = tuple(Set(_other(each.variable), _value(each)) for each in row.update)
    if (guard, update) != (row.guard, row.update):
        yield (
            "actor",
            "the peer's SA and the own one are taken for each other",
            row._replace(guard=guard, update=update),
        )


def _value(each: Set) -> bool | str | Pick:
    if isinstance(each.value, Pick):
        return Pick(_swapped(each.value.condition), each.value.then, each.value.otherwise)
    return each.value


def _swapped(term: Term) -> Term:
    match term:
        case Is(variable, values):
            return Is(_other(variable), values)
        case Not(inner):
            return Not(_swapped(inner))
        case All(terms):
            return All(tuple(map(_swapped, terms)))
        case Some(terms):
            return Some(tuple(map(_swapped, terms)))
        case SomeChild(inner):
            return SomeChild(_swapped(inner))


def _other(variable: str) -> str:
    if variable.startswith("fact."):
        return variable
    for side, other in SIDES.items():
        if side in variable:
            return variable.replace(side, other)
    return variable
