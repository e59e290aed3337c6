"""Which faults only one property finds: in the code, and in the rows."""

import json
from pathlib import Path

from ikeref_properties.mutants.matrix import Entry, killers

Only = dict[int, tuple[str, ...]]
"""Faults, by the number of the one property that finds them."""
ROWS = Path(__file__).parents[1] / "rowmutants" / "unique.json"
"""Faults of rows by property; written by `python -m ikeref_properties.rowmutants --unique`."""


REFINEMENT = 36
"""It holds the code against all rows at once and finds nearly all that others find: they are counted without it."""


def only_in_code(entries: dict[str, Entry]) -> Only:
    """Faults of the code that one property finds and no other, but for refinement."""
    found: dict[int, list[str]] = {}
    for name, entry in entries.items():
        ids = killers(entry)
        ids = ids - {REFINEMENT} or ids
        if len(ids) == 1:
            found.setdefault(next(iter(ids)), []).append(name)
    return {id: tuple(names) for id, names in found.items()}


def only_in_rows() -> Only:
    """The same of the faults of the rows, as committed."""
    if not ROWS.exists():
        return {}
    return {int(id): tuple(names) for id, names in json.loads(ROWS.read_text("utf-8")).items()}
