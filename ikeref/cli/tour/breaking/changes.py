"""Changes of the rows that the table of breaks names."""

from collections.abc import Callable
from dataclasses import dataclass

from ikeref_model.ike_rekey import UNDECIDED
from ikeref_model.rows import Answer, Row, shut
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import TRUE, All, Set, all_of, no
from ikeref_properties import mutants_rows
from ikeref_properties.mutants_rows import Rows


@dataclass(frozen=True, slots=True)
class Seeded:
    """Rows with a fault of `mutants_rows`."""

    fault: str

    def __call__(self) -> Rows:
        return next(each.rows for each in mutants_rows.FAULTS if each.name == self.fault)


def changed(name: str, change: Callable[[Row], Row]) -> Callable[[], Rows]:
    return lambda: tuple(change(row) if row.name == name else row for row in ROWS)


def answering(name: str, what: str, outcome: str = "") -> Callable[[], Rows]:
    return changed(name, lambda row: row._replace(answers=frozenset((Answer(what, outcome),))))


def both_lose() -> Rows:
    rows = []
    for row in ROWS:
        if row.name in ("child.rekey.response.lost", "child.rekey.response.lost.gone"):
            row = row._replace(guard=TRUE)
        elif row.name in ("child.rekey.response.won", "child.rekey.response.won.gone"):
            continue
        rows.append(row)
    return tuple(rows)


def served_while_closing() -> Rows:
    """The rekey of a Child SA that is being deleted is granted as if nothing were under way."""
    accept = BY_NAME["child.rekey.request.accept"]
    granted = accept._replace(name="collision.rekey_child.closing", source=("DELETING", "HALF_CLOSED"), destination="")
    return tuple(granted if row.name == granted.name else row for row in ROWS)


def served_while_rekeying() -> Rows:
    """A new Child SA is granted on an IKE SA that is being rekeyed."""
    accept = BY_NAME["child.create.request.accept"]
    refuse = BY_NAME["collision.create_child.ike_rekeying"]
    granted = refuse._replace(update=accept.update, answers=accept.answers)
    return tuple(granted if row.name == granted.name else row for row in ROWS)


def forgotten_deletes() -> Rows:
    return tuple(
        row._replace(update=tuple(Set(name, value) for name, value in shut("child", keep=True).items()))
        if row.name == "collision.delete_child.closing"
        else row
        for row in ROWS
    )


def successors_unmoved() -> Rows:
    """An end rekeys one of two successors, or lets it be rekeyed, before it knows which of them inherits."""
    rows = []
    for row in ROWS:
        if row.name == "collision.rekey_ike.undecided":
            continue
        if row.name in ("ike.rekey.send", "ike.rekey.request.accept") and isinstance(row.guard, All):
            row = row._replace(guard=all_of(*(term for term in row.guard.terms if term != no(UNDECIDED))))
        rows.append(row)
    return tuple(rows)
