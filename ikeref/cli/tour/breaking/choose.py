"""Which rule is to be broken: by its name here, by the name of a row, or of a fault of the code."""

import difflib
import time
from typing import Final, NamedTuple

from ikeref_model.events import Kind
from ikeref_model.rows import Row
from ikeref_model.tables import ALLOWED, BY_NAME
from ikeref_properties.mutants_rows import FAULTS, Fault
from ikeref_properties.rowmutants.make import Mutant, mutants

from ikeref.cli.tour.breaking.changes import Seeded
from ikeref.cli.tour.breaking.rows import Fall, fall
from ikeref.cli.tour.breaking.table import BREAKS, BY_BREAK, HEIRS, PAIRS, SENTENCES, TRAFFIC, Break

PATIENCE: Final = 15.0
"""Seconds of this process after which no further change of a row is tried."""
_FEW: Final = 2
"""Kinds of requests of a row that is about them, and not about any request."""


class Unknown(NamedTuple):
    """There is no such rule."""

    name: str
    near: tuple[str, ...]


class Standing(NamedTuple):
    """Changes of a row that nothing here finds."""

    row: str
    tried: tuple[str, ...]


class Chosen(NamedTuple):
    """What to break, and how the rows fall."""

    rule: Break
    fall: Fall | None
    """None where the rows don't speak of it."""
    others: tuple[str, ...] = ()
    """Other breaks of the same row."""


def choose(name: str) -> Chosen | Standing | Unknown:
    """What that name stands for, and what falls."""
    plain = name.strip().lower()
    aliases = {each.mutant: each for each in BREAKS if each.mutant}
    aliases |= {each.broken.fault: each for each in BREAKS if isinstance(each.broken, Seeded)}
    exact = BY_BREAK.get(plain) or aliases.get(plain)
    if exact is not None:
        return _broken(exact)
    fault = next((each for each in FAULTS if each.name == plain and each.found_by), None)
    if fault is not None:
        return _broken(_of_fault(fault))
    about = [each for each in BREAKS if plain in each.rows]
    about.sort(key=lambda each: each.rows.index(plain))
    if about:
        return _broken(about[0])._replace(others=tuple(each.name for each in about[1:]))
    if plain in BY_NAME:
        return _of_row(plain)
    return Unknown(name, _near(plain))


def _broken(rule: Break) -> Chosen:
    return Chosen(rule, fall(rule.by, rule.broken()) if rule.broken is not None else None)


def _of_fault(fault: Fault) -> Break:
    changed = tuple(row.name for row in fault.rows if row not in BY_NAME.values())
    row = BY_NAME[changed[0]]
    return Break(fault.name, fault.what, row.section, changed, fault.found_by, lambda: fault.rows)


def _near(name: str) -> tuple[str, ...]:
    known = [*BY_BREAK, *(row.name for row in ALLOWED), *(each.name for each in FAULTS if each.found_by)]
    inside = [each for each in known if len(name) > 2 and name in each]
    words = [each for each in BY_BREAK if set(name.split("-")) & set(each.split("-")) - {"the", "a", "at", "what"}]
    close = difflib.get_close_matches(name, known, 6, 0.5)
    return tuple(dict.fromkeys((*inside[:6], *close, *words)))[:8]


def _of_row(name: str) -> Chosen | Standing:
    """The first generated change of a row that falls: by a run of two ends if there is one, else by a sentence."""
    row = BY_NAME[name]
    if row.variant:
        return Standing(name, ())
    changes = sorted((each for each in mutants() if each.row == name), key=lambda each: each.kind == "row")
    started = time.process_time()
    for by in _order(row):
        for change in changes:
            if time.process_time() - started > PATIENCE:
                return Standing(name, tuple(each.what for each in changes))
            found = fall(by, change.rows())
            if found is not None:
                return Chosen(_generated(change, by), found)
    return Standing(name, tuple(each.what for each in changes))


def _order(row: Row) -> tuple[str, ...]:
    """What is likely to fall first: a run of two ends that takes the row, else a sentence about one end."""
    if row.on.kinds & {Kind.REKEY_IKE, Kind.DELETE_IKE} and len(row.on.kinds) <= _FEW:
        return HEIRS, SENTENCES, PAIRS
    if row.on.kinds & {Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD} and len(row.on.kinds) <= _FEW:
        return PAIRS, TRAFFIC, SENTENCES, HEIRS
    return SENTENCES, PAIRS, HEIRS


def _generated(change: Mutant, by: str) -> Break:
    row = BY_NAME[change.row]
    return Break(change.id, f"{change.row}: {change.what}", row.section, (change.row,), by, change.rows)
