"""Which properties survive a SHOULD that is not followed, or a silence that is filled differently.

Each relaxed row is added to the table by itself, so that both ends may follow it whenever it fits, and the proofs'
systems are searched: a property survives if no reachable state breaks it. `python -m ikeref_properties.proofs.relaxed
docs/relaxed.md` writes the page.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ikeref_model.explore import explore
from ikeref_model.relaxed import RELAXED
from ikeref_model.rows import Row
from ikeref_model.system import System, build
from ikeref_model.tables import ROWS
from ikeref_model.terms import Term, no

from ikeref_properties.proofs import ranking
from ikeref_properties.proofs.statements import (
    CHILD_SCOPE,
    IKE_SCOPE,
    TRAFFIC_SCOPE,
    flowing,
    inherited,
    paired,
    without_commanded_deletes,
)

SURVIVES, NOT_TAKEN = "survives", "-"


class Asked(NamedTuple):
    """A property that is looked at, and where."""

    number: str
    title: str
    about: str
    judge: Callable[[tuple[Row, ...]], str]
    """"" if it survives, else how it breaks, or that the row is never taken there."""


def _searched(make: Callable[[tuple[Row, ...]], System], safe: Callable[[System], Term]) -> Callable[..., str]:
    def judge(rows: tuple[Row, ...]) -> str:
        system = make(rows)
        found = explore(system, no(safe(system)), limit=1_000_000)
        if found.violation:
            return f"breaks in {len(found.violation.steps)} steps"
        if not found.complete:
            return "not decided"
        return "" if rows[-1].name in found.taken else NOT_TAKEN

    return judge


def _ends(rows: tuple[Row, ...]) -> str:
    added = rows[len(ROWS) :]
    return "" if ranking.prove(added).good else "no ranking"


ASKED: tuple[Asked, ...] = (
    Asked(
        "1, 2",
        "in pairs, nothing left",
        CHILD_SCOPE.title + "; three Child SAs at a time",
        _searched(lambda rows: build(CHILD_SCOPE, rows), paired),
    ),
    Asked("13", "runs end", "every row; any number of SAs", _ends),
    Asked("3, 4", "inherited once", IKE_SCOPE.title, _searched(lambda rows: build(IKE_SCOPE, rows), inherited)),
    Asked(
        "5",
        "traffic goes on",
        TRAFFIC_SCOPE.title,
        _searched(lambda rows: build(TRAFFIC_SCOPE, without_commanded_deletes(rows)), flowing),
    ),
)


def with_row(row: Row) -> tuple[Row, ...]:
    """The rows of the proofs, and one more that an end may follow."""
    return (*ROWS, row._replace(variant=""))


def survival(rows: tuple[Row, ...] = RELAXED) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """For each relaxed row what becomes of each property."""
    for row in rows:
        yield row, tuple(each.judge(with_row(row)) or SURVIVES for each in ASKED)


HEAD = """# What survives a SHOULD that is not followed

The proofs are about ends that follow every SHOULD of Sections 2.8 and 2.25 and fill silences as
[these rows](rows/index.md) do. Each row of [`relaxed`](rows/relaxed.md) is one thing that an end may do instead. Here
it is added to the table by itself, for both ends, and all states are searched again. *Survives* is about all states of
the system named below the table; `-` says that the row is never taken in it (it is about something else, or about
windows above 1). This page is written by
`python -m ikeref_properties.proofs.relaxed docs/relaxed.md`, and a nightly test holds it to the rows.
"""


def page() -> str:
    """The whole page."""
    head = ["row", "section", "why it stands there", *(f"{each.title} ({each.number})" for each in ASKED)]
    lines = [HEAD, f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for row, found in survival():
        cells = [f"[`{row.name}`](#{row.name})", row.section, row.variant, *found]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"* *{each.title}* ({each.number}): {each.about}; window 1." for each in ASKED), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
