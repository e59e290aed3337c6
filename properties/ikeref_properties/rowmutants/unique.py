"""For a property of the rows: a fault that it finds and no other property does.

Tried are faults of the rows that the property's own sentences are about. Each meets every sentence about the same
events, the questions about the whole table, and the lemma; and every certificate has to hold of the changed rows still,
so that what is proved is not touched by the fault. One such fault is enough.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ikeref_model.local import gaps, overlaps
from ikeref_model.machine import triggers
from ikeref_model.sentences import Breach, Sentence, judge_all, untidy
from ikeref_model.tables import BY_NAME

from ikeref_properties import proofs
from ikeref_properties.claims import properties
from ikeref_properties.claims.references import checkout
from ikeref_properties.proofs import STATEMENTS, lemma
from ikeref_properties.proofs.sentences import BY_ID, SENTENCES
from ikeref_properties.rowmutants.make import Mutant, mutants
from ikeref_properties.rowmutants.page import known

TABLE = Path(__file__).with_name("unique.json")
TRIES = 40
"""Faults tried for one property at most."""


def owners() -> dict[str, frozenset[int]]:
    """Which properties a check of the rows serves."""
    found: dict[str, set[int]] = {}
    for each in properties():
        for part in each.parts:
            if part.subject == "rows":
                for check in part.checks:
                    found.setdefault(str(check), set()).add(each.id)
    return {check: frozenset(ids) for check, ids in found.items()}


def finders(mutant: Mutant) -> Iterator[str]:
    """The sentences, and the questions about the table, that find a fault; then the proofs that it touches."""
    rows = mutant.rows()
    row = BY_NAME[mutant.row]
    events = frozenset(triggers(row.on))
    concerned: tuple[Sentence, ...] = tuple(each for each in SENTENCES if events & frozenset(triggers(each.on)))
    for found in judge_all(concerned, rows):
        if isinstance(found, Breach):
            yield f"sentence:{found.sentence}"
    if next(gaps(rows, events), None):
        yield "rows:total"
    if next(overlaps(rows, events), None):
        yield "rows:deterministic"
    if mutant.changed is not None and next(untidy(rows, {mutant.row}), None):
        yield "rows:consistent"
    if not lemma.prove(rows).good:
        yield f"proof:{lemma.ID}"
    for statement in STATEMENTS:
        if not proofs.verify(statement, proofs.committed(statement), rows).good:
            yield f"proof:{statement.id}"


def alone(wanted: Iterable[int], watch: Callable[[str], object] = print) -> dict[int, list[str]]:
    """For each of these properties a fault that it finds alone, where one is found."""
    serves = owners()
    found: dict[int, list[str]] = {}
    for id in wanted:
        own = [check for check, ids in serves.items() if ids == {id}]
        for mutant in _candidates(own):
            by: set[int] = set()
            for check in finders(mutant):
                by |= serves.get(check, frozenset())
                if by - {id}:
                    break
            if by == {id}:
                found[id] = [f"{mutant.row}: {mutant.what}"]
                watch(f"{id}: {found[id][0]}")
                break
        else:
            watch(f"{id}: none among those tried")
    return found


def _candidates(own: list[str]) -> list[Mutant]:
    """Faults that the page says one of these checks finds first; then others of rows about the same events."""
    root = checkout()
    page = root / "docs" / "mutants_rows.md" if root is not None else None
    before = known(page.read_text("utf-8")) if page is not None and page.exists() else {}
    every = list(mutants())
    first = [each for each in every if before.get((each.row, each.what), ("", 0))[0] in own]
    events: set[str] = set()
    for check in own:
        kind, _, name = check.partition(":")
        if kind == "sentence":
            events |= set(triggers(BY_ID[name].on))
    kinds = ("guard", "answer", "source")
    others = [each for each in every if each.kind in kinds and events & set(triggers(BY_NAME[each.row].on))]
    step = max(1, len(others) // TRIES)
    return [*first[:TRIES], *others[::step]][:TRIES]


def save(found: dict[int, list[str]]) -> None:
    """Write the committed table, what was found before kept."""
    known = json.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    known |= {str(id): names for id, names in found.items()}
    lines = [
        f"{json.dumps(id)}: {json.dumps(names)}" for id, names in sorted(known.items(), key=lambda one: int(one[0]))
    ]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
