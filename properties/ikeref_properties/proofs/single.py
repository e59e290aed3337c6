"""What is proved of one end alone: every event has a row, only choices overlap, every sentence holds.

z3 looks at all states of one end at once, consistent in the sense of `ikeref_model.local.CONSISTENT` (a test shows
that no other can be reached); no step is taken, so no invariant is needed.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from ikeref_model.local import gaps, overlaps
from ikeref_model.rows import Row
from ikeref_model.sentences import Breach, Sentence, judge, untidy
from ikeref_model.tables import ROWS

from ikeref_properties.proofs.verdict import Verdict

ENGINE = "z3, every state of one end"


def total(rows: Iterable[Row] = ROWS) -> Verdict:
    """Property 31."""
    listed = tuple(rows)
    return _verdict(
        "total",
        "Every event has a row in every state",
        listed,
        lambda: next((f"{gap.event} in {gap.state}" for gap in gaps(listed)), ""),
    )


def deterministic(rows: Iterable[Row] = ROWS) -> Verdict:
    """Property 32."""
    listed = tuple(rows)
    return _verdict(
        "deterministic",
        "Rows overlap only where there is a choice",
        listed,
        lambda: next((f"{' and '.join(each.rows)} on {each.event}" for each in overlaps(listed)), ""),
    )


def consistent(rows: Iterable[Row] = ROWS) -> Verdict:
    """What totality and determinism take for granted is kept by every row."""
    listed = tuple(rows)
    return _verdict(
        "consistent",
        "No row leads to a state that the others rule out",
        listed,
        lambda: next((f"{each.row}: {each.why}" for each in untidy(listed)), ""),
    )


def _verdict(id: str, title: str, rows: tuple[Row, ...], search: Callable[[], str]) -> Verdict:
    started = time.perf_counter()
    why = search()
    return Verdict(
        id,
        title,
        "2.3",
        "rows",
        "refuted" if why else "proved",
        ENGINE,
        f"{len(rows)} rows",
        time.perf_counter() - started,
        "re-proved each time",
        why or "one end, one IKE SA and one Child SA of any number, windows of any size",
    )


def sentence(one: Sentence, rows: Iterable[Row] = ROWS) -> Verdict:
    """The verdict on one sentence."""
    started = time.perf_counter()
    found = judge(one, rows)
    why = f"{found.row or 'the table'}: {found.why}" if isinstance(found, Breach) else ""
    return Verdict(
        one.id,
        one.words,
        one.section,
        "rows",
        "refuted" if why else "proved",
        ENGINE,
        "" if isinstance(found, Breach) else f"{found.rows} row{'s' if found.rows != 1 else ''}",
        time.perf_counter() - started,
        "re-proved each time",
        why or "one end, every state, windows of any size",
    )


def sentences(several: Iterable[Sentence]) -> Iterator[Verdict]:
    """The verdicts on some sentences."""
    return (sentence(each) for each in several)
