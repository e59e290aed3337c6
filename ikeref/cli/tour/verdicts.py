"""The verdicts of a tour, and what each is about: the rows of the model, the code, or both.

Nothing is called proved unless its certificate was checked again just now; nothing is said to hold that this run had
no occasion to break.
"""

from enum import StrEnum
from typing import NamedTuple

from ikeref.cli.tour.annotate import Annotation
from ikeref.cli.tour.checks import CHECKS, count
from ikeref.cli.tour.proved import Proved
from ikeref.cli.tour.trace import Trace


class About(StrEnum):
    """What a verdict speaks of."""

    ROWS = "rows"
    """Every run that the model allows, of any two ends: says nothing of this code."""
    BOTH = "rows and code"
    """This run of the code, step by step against the rows."""
    CODE = "code"
    """This run of the code: the octets it sent and the SAs it opened and closed."""


class Standing(StrEnum):
    """How it turned out."""

    PROVED = "proved"
    HOLDS = "holds"
    VIOLATED = "violated"
    SILENT = "not exercised"
    """Nothing in this run had to do with it."""
    UNKNOWN = "not checked"


class Verdict(NamedTuple):
    """One line of the table."""

    name: str
    section: str
    about: About
    standing: Standing
    evidence: str
    faults: tuple[str, ...] = ()
    bounds: str = ""
    """Of what system a proof speaks."""


def of_run(trace: Trace, annotations: tuple[Annotation, ...], unfinished: str) -> tuple[Verdict, ...]:
    """The verdicts on a run: rows and code, then code."""
    return (_model(annotations), _life(trace, unfinished), *_code(trace))


def of_rows(proved: tuple[Proved, ...]) -> tuple[Verdict, ...]:
    """The verdicts on the rows."""
    standings = {"proved": Standing.PROVED, "unknown": Standing.UNKNOWN}
    found = []
    for each in proved:
        standing = standings.get(each.claim, Standing.VIOLATED)
        bounds, faults = (each.about, ()) if standing is Standing.PROVED else ("", (each.about,))
        found.append(Verdict(each.name, each.section, About.ROWS, standing, each.evidence, faults, bounds))
    return tuple(found)


def _model(annotations: tuple[Annotation, ...]) -> Verdict:
    name = "Every step of both ends is one the rows allow"
    if not annotations:
        return Verdict(name, "1.2 - 2.25", About.BOTH, Standing.SILENT, "no step")
    faults = [each.reason for each in annotations if each.judged and not each.accepted]
    lost = sum(not each.judged for each in annotations)
    if lost:
        faults.append(f"{count(lost, 'step')} behind it could not be judged")
    rows = {row.name for each in annotations if each.accepted for row in each.rows}
    evidence = f"{count(len(annotations) - lost, 'step')}, {count(len(rows), 'row') or 'no row'}"
    return Verdict(
        name, "1.2 - 2.25", About.BOTH, Standing.VIOLATED if faults else Standing.HOLDS, evidence, tuple(faults)
    )


def _life(trace: Trace, unfinished: str) -> Verdict:
    standing = Standing.VIOLATED if unfinished else Standing.HOLDS
    evidence = f"{count(len(trace.rests), 'stage') or 'no stage'}"
    faults = (unfinished,) if unfinished else ()
    return Verdict("The whole life comes to its end", "1.2 - 1.4", About.CODE, standing, evidence, faults)


def _code(trace: Trace) -> tuple[Verdict, ...]:
    found = []
    for check in CHECKS:
        finding = check.judge(trace)
        if finding.faults:
            standing = Standing.VIOLATED
        else:
            standing = Standing.HOLDS if finding.looked_at else Standing.SILENT
        found.append(Verdict(check.name, check.section, About.CODE, standing, finding.looked_at or "-", finding.faults))
    return tuple(found)
